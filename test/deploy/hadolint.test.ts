import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../fakes/programs.ts';
import { ROOT } from './installed.ts';

const lint = (text: string) => run('hadolint', ['--no-color', '--failure-threshold', 'style', '-'], text);

test('hadolint finds nothing in the Dockerfile, and something in a careless one', async () => {
  const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  expect(await lint(dockerfile)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  const careless = dockerfile
    .replace(/^USER .*$/m, 'USER root')
    .replace('COPY --from=build', 'RUN cd /tmp && sudo ls\nCOPY');
  const found = await lint(careless);
  expect(found.exitCode).toBe(1);
  for (const rule of ['DL3002', 'DL3003', 'DL3004']) expect(found.stdout).toContain(rule);
});
