import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WholeFile } from '../../../src/cli/terminal/whole-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-whole-'));
  path = join(folder, 'out');
});
afterEach(() => rm(folder, { recursive: true }));

test('has its name once it is whole, for its owner alone, and leaves nothing beside it', async () => {
  {
    await using file = await WholeFile.make(path);
    await file.write(Buffer.from('one '));
    await file.write(Buffer.from('two'));
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^out\.part-[0-9a-f]{16}$/)]);
    await file.keep();
  }
  expect(await readdir(folder)).toEqual(['out']);
  expect(await readFile(path, 'utf8')).toBe('one two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('never takes the place of a file that came meanwhile', async () => {
  {
    await using file = await WholeFile.make(path);
    await file.write(Buffer.from('mine'));
    await writeFile(path, 'theirs');
    await expect(file.keep()).rejects.toMatchObject({ code: 'conflict' });
  }
  expect(await readdir(folder)).toEqual(['out']);
  expect(await readFile(path, 'utf8')).toBe('theirs');
});
