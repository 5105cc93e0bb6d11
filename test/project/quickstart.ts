import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { run } from '../fakes/programs.ts';

const STORY = fileURLToPath(new URL('../../quickstart/main.ts', import.meta.url));

/** Longest time for one story on a busy machine, milliseconds. */
export const STORY_MS = 240_000;

/** Tells the whole story in a process of its own, which fails when a part of it does not hold. */
export async function story(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(process.execPath, [STORY, ...args]);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/✔ 2\d calls, none failed/);
  for (const part of [
    'calls during the rotation, none failed',
    'the checkpoint kept outside shows the cut',
    'Done in',
  ]) {
    expect(stdout).toContain(part);
  }
  expect(stdout).not.toMatch(/PRIVATE KEY|\bs\.[A-Za-z0-9]{20}|hvs\./);
  return stdout;
}
