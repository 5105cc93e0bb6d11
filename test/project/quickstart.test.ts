import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../fakes/programs.ts';
import { STORY_MS, story } from './quickstart.ts';

test(
  'the story holds with keys in the own file',
  async () => {
    expect(await story([])).not.toContain('default-store');
  },
  STORY_MS,
);

test('a store that the story does not have is told with those that it has', async () => {
  const main = fileURLToPath(new URL('../../quickstart/main.ts', import.meta.url));
  expect(await run(process.execPath, [main, '--store', 'gcp'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('file, vault, aws'),
  });
});
