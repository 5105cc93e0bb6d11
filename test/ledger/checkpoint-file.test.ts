import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogSigner } from '../../src/audit/checkpoint.ts';
import { leafHash } from '../../src/audit/merkle.ts';
import { TreeFrontier } from '../../src/audit/tree.ts';
import type { KeyturnError } from '../../src/core/errors.ts';
import { CheckpointFile, type CheckpointFileOptions } from '../../src/ledger/checkpoint-file.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { change } from '../conformance/ledger-rows.ts';
import { freshPlace, ORIGIN } from './sqlite/place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let folder: string;
let path: string;
let ledger: Ledger;
let outside: CheckpointFile;
let failures: KeyturnError[];

const fileWith = (vary: Partial<CheckpointFileOptions> = {}) =>
  new CheckpointFile({ path, verifier: place.verifier, onFailure: (error) => failures.push(error), ...vary });

beforeEach(async () => {
  place = await freshPlace();
  folder = join(place.folder, 'outside');
  path = join(folder, 'checkpoint');
  await mkdir(folder);
  failures = [];
  outside = fileWith();
  ledger = await openSqliteLedger({
    path: place.path,
    signer: place.signer,
    onCheckpoint: (note, size) => outside.offer(note, size),
  });
});
afterEach(async () => {
  await ledger.close();
  await place.remove();
});

const grow = async (count: number) => {
  for (let n = 0; n < count; n += 1) await ledger.commit(change('a.change'));
};
const written = () => readFile(path, 'utf8');
const corrupt = { code: 'ledger_corrupt' };

test('the head is written at start, and the newest one afterwards', async () => {
  await grow(2);
  await outside.start(ledger);
  expect(await written()).toBe((await ledger.head()).checkpoint);
  await grow(5);
  await outside.settled();
  expect(await written()).toBe((await ledger.head()).checkpoint);
  expect(await readdir(folder)).toEqual(['checkpoint']);
  await fileWith().start(ledger);
  expect(failures).toEqual([]);
});

test('a smaller checkpoint never takes the place of a larger one', async () => {
  await grow(3);
  await outside.start(ledger);
  const [first] = await ledger.checkpoints(0, 1);
  outside.offer(first?.checkpoint ?? '', 1);
  await outside.settled();
  expect(place.verifier.open(await written()).size).toBe(3);
});

test('what comes while a write is under way is written as one, the newest', async () => {
  await outside.start(ledger);
  outside.offer('one', 1);
  for (let size = 2; size < 500; size += 1) outside.offer(`note ${size}`, size);
  await outside.settled();
  expect(await written()).toBe('note 499');
});

test('a ledger that is behind the file was rolled back, unless the loss is accepted', async () => {
  await outside.start(ledger);
  await ledger.close();
  const { privateKey } = place.signer;
  const frontier = TreeFrontier.empty();
  for (let n = 0; n < 5; n += 1) frontier.append(leafHash(Buffer.of(n)));
  await writeFile(path, LogSigner.create(ORIGIN, privateKey).sign({ size: 5, root: frontier.root() }));
  ledger = await openSqliteLedger({ path: place.path, signer: place.signer });
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
  expect(place.verifier.open(await written()).size).toBe(5);
  await fileWith({ acceptRollback: true }).start(ledger);
  expect(place.verifier.open(await written()).size).toBe(0);
});

test('whoever has the folder outside can have nothing else written: a link in the way is removed, not followed', async () => {
  const precious = join(place.folder, 'keys.ktn');
  await writeFile(precious, 'keys');
  await symlink(precious, `${path}.new`);
  await outside.start(ledger);
  await symlink(precious, `${path}.new`);
  await grow(1);
  await outside.settled();
  expect(failures).toEqual([]);
  expect(await written()).toBe((await ledger.head()).checkpoint);
  expect(await readFile(precious, 'utf8')).toBe('keys');
  // Nor does it follow one that stands in the place of the file.
  await rm(path);
  await symlink(precious, path);
  await grow(1);
  await outside.settled();
  expect(await readFile(precious, 'utf8')).toBe('keys');
});

test('nor can they have a start read without end, or wait', async () => {
  await symlink('/dev/zero', path);
  await expect(outside.start(ledger)).rejects.toMatchObject(corrupt);
  await rm(path);
  await promisify(execFile)('mkfifo', [path]);
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
  await rm(path);
  await writeFile(path, Buffer.alloc(1_000_000, 0x61));
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
});

test('what is longer than any checkpoint is never overwritten either, whatever is accepted', async () => {
  await writeFile(path, Buffer.alloc(1_000_000, 0x61));
  await expect(fileWith({ acceptRollback: true }).start(ledger)).rejects.toMatchObject({ code: 'config_invalid' });
  expect(await written()).toHaveLength(1_000_000);
});

test('a ledger with as many entries, but others, was replaced', async () => {
  await grow(5);
  const frontier = TreeFrontier.empty();
  for (let n = 0; n < 3; n += 1) frontier.append(leafHash(Buffer.of(n)));
  await writeFile(path, LogSigner.create(ORIGIN, place.signer.privateKey).sign({ size: 3, root: frontier.root() }));
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
});

test('a file that this log did not sign refuses the start', async () => {
  const other = LogSigner.create(ORIGIN, generateKeyPairSync('ed25519').privateKey);
  await writeFile(path, other.sign({ size: 0, root: TreeFrontier.empty().root() }));
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
});

test('a file that is no checkpoint is never overwritten, whatever is accepted; an empty one is when it is', async () => {
  for (const other of ['not a note', 'origin\n12\nshort\n', '\u0000\u0001keys', '12\n']) {
    await writeFile(path, other);
    for (const acceptRollback of [false, true]) {
      const refused = { code: 'config_invalid', fix: expect.stringContaining('checkpoint.path') };
      await expect(fileWith({ acceptRollback }).start(ledger)).rejects.toMatchObject(refused);
    }
    expect(await written()).toBe(other);
  }
  await writeFile(path, '');
  await expect(fileWith().start(ledger)).rejects.toMatchObject(corrupt);
  await fileWith({ acceptRollback: true }).start(ledger);
  expect(place.verifier.open(await written()).size).toBe(0);
});

test('a write that fails is reported and stops nothing; the next one is tried anew', async () => {
  await outside.start(ledger);
  await rm(folder, { recursive: true });
  await grow(1);
  await outside.settled();
  expect(failures.map(({ code }) => code)).toEqual(['ledger_unavailable']);
  expect(ledger.status().state).toBe('ready');
  await mkdir(folder);
  await grow(1);
  await outside.settled();
  expect(await written()).toBe((await ledger.head()).checkpoint);
});

test('writes are apart, so that they do not hold up the ledger; whoever waits for the file does not wait for that', async () => {
  outside = fileWith({ pauseMs: 600_000 });
  await outside.start(ledger);
  outside.offer('one', 1_001);
  await expect.poll(written).toBe('one');
  outside.offer('two', 1_002);
  await grow(3);
  expect(await written()).toBe('one');
  await outside.settled();
  expect(await written()).toBe('two');
});
