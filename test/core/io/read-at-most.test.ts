import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readAtMost } from '../../../src/core/io/read-at-most.ts';

async function inFolder(run: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kt-'));
  try {
    await run((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a file comes whole up to the limit, and not at all beyond it', () =>
  inFolder(async (path) => {
    await writeFile(path('file'), 'abcde');
    expect(await readAtMost(path('file'), 5)).toEqual(Buffer.from('abcde'));
    expect(await readAtMost(path('file'), 4)).toBeNull();
    await writeFile(path('empty'), '');
    expect(await readAtMost(path('empty'), 4)).toEqual(Buffer.alloc(0));
  }));

test('what never ends is read to the limit only', async () => {
  expect(await readAtMost('/dev/zero', 100_000)).toBeNull();
});

test('a pipe is read to its end, in the pieces that come', () =>
  inFolder(async (path) => {
    await promisify(execFile)('mkfifo', [path('pipe')]);
    const written = promisify(execFile)('sh', ['-c', '{ printf one; printf two; } > "$0"', path('pipe')]);
    expect(await readAtMost(path('pipe'), 100)).toEqual(Buffer.from('onetwo'));
    await written;
  }));

test('a folder, and a path where nothing is, are refused by the system', async () => {
  await expect(readAtMost(tmpdir(), 10)).rejects.toMatchObject({ code: 'EISDIR' });
  await expect(readAtMost(join(tmpdir(), 'not-there'), 10)).rejects.toMatchObject({ code: 'ENOENT' });
});
