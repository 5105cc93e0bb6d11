import { access, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Staging } from '../../../src/compose/restore/staging.ts';
import { isKeyturnError } from '../../../src/core/errors.ts';

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kt-staging-'));
  home = join(folder, 'home');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const nameOf = ({ path }: Staging) => basename(dirname(path));
const names = async () => (await readdir(folder)).sort();

test('what a killed restore left goes, whether or not it had come to anything', async () => {
  const [early, late] = [`${home}.restoring-early1`, `${home}.restoring-late01`];
  await mkdir(early);
  await mkdir(join(late, 'ledger'), { recursive: true });
  await writeFile(join(late, 'restore.lock'), '');
  await writeFile(join(late, 'ledger', 'ledger.db'), 'x');
  await using staging = await Staging.make(home);
  expect(await names()).toEqual([nameOf(staging)]);
});

test('a folder of somebody else’s that is only named like one stays as it is', async () => {
  const other = `${home}.restoring-backup`;
  await mkdir(other);
  await writeFile(join(other, 'notes.txt'), 'x');
  await using _staging = await Staging.make(home);
  expect(await readdir(other)).toEqual(['notes.txt']);
});

test('a link of such a name is not followed', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await symlink(elsewhere, `${home}.restoring-abcdef`);
  await using _staging = await Staging.make(home);
  expect(await readdir(elsewhere)).toEqual([]);
  await access(`${home}.restoring-abcdef`);
});

test.each([
  ['a file', () => writeFile(home, 'x'), () => home, /is not an empty folder/],
  [
    'a folder with something in it',
    () => mkdir(join(home, 'x'), { recursive: true }),
    () => home,
    /is not an empty folder/,
  ],
  [
    'a file where its parent should be',
    () => writeFile(home, 'x'),
    () => join(home, 'new'),
    /No folder can be made beside .* \(a part of its path is no folder\)/,
  ],
  [
    'a file further up',
    () => writeFile(home, 'x'),
    () => join(home, 'a', 'new'),
    /No folder can be made beside .* \(a part of its path is no folder\)/,
  ],
  ['the root of another file system', async () => undefined, () => '/proc', /Something is mounted at \/proc/],
])('%s is refused at once, and stays as it is', async (_what, prepare, target, message) => {
  await prepare();
  const before = await names();
  await expect(Staging.make(target())).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(message),
  });
  expect(await names()).toEqual(before);
});

test('one that another restore is at work in stays', async () => {
  await using working = await Staging.make(home);
  await using second = await Staging.make(home);
  expect(await names()).toEqual([nameOf(working), nameOf(second)].sort());
});

test('of many restores into one name those that come first are whole, the others are told, and nothing is left', async () => {
  const RESTORES = 60;
  const FILES = 20;
  let taken = 0;
  const restore = async (): Promise<'whole' | 'taken'> => {
    try {
      await using staging = await Staging.make(home);
      for (let each = 0; each < FILES; each += 1) await writeFile(join(staging.path, String(each)), 'x');
      await staging.handOver();
    } catch (error) {
      if (isKeyturnError(error, 'conflict')) return 'taken';
      throw error;
    }
    // Makes room for the next one, after all who are at work have had the time to do harm.
    await new Promise((resolve) => setTimeout(resolve, 5));
    taken += 1;
    await rename(home, join(folder, `taken-${taken}`));
    return 'whole';
  };
  const waves = Array.from({ length: RESTORES }, async (_, turn) => {
    await new Promise((resolve) => setTimeout(resolve, turn * 2));
    return restore();
  });
  const ends = await Promise.all(waves);
  expect(ends).toContain('whole');
  expect(await names()).toEqual(Array.from({ length: taken }, (_, index) => `taken-${index + 1}`).sort());
  for (const name of await names()) expect(await readdir(join(folder, name))).toHaveLength(FILES);
});
