import { access, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Staging } from '../../../src/compose/restore/staging.ts';

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kt-staging-'));
  home = join(folder, 'home');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const names = async () => (await readdir(folder)).sort();

test('what a killed restore left goes, whether or not it had come to anything', async () => {
  const [early, late] = [`${home}.restoring-early1`, `${home}.restoring-late01`];
  await mkdir(early);
  await mkdir(join(late, 'ledger'), { recursive: true });
  await writeFile(join(late, 'restore.lock'), '');
  await writeFile(join(late, 'ledger', 'ledger.db'), 'x');
  await using staging = await Staging.make(home);
  expect(await names()).toEqual([basename(staging.path)]);
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

test('one that another restore is at work in stays', async () => {
  await using working = await Staging.make(home);
  await using second = await Staging.make(home);
  expect(await names()).toEqual([basename(working.path), basename(second.path)].sort());
});
