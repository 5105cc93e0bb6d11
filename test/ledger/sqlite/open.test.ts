import { generateKeyPairSync } from 'node:crypto';
import { chmod, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteLedger, type SqliteLedgerOptions } from '../../../src/ledger/sqlite/open.ts';
import { change, hold } from '../../conformance/ledger-rows.ts';
import { LedgerChild } from './faults/child.ts';
import { freshPlace, ORIGIN } from './place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let child: LedgerChild | undefined;

beforeEach(async () => {
  place = await freshPlace();
});
afterEach(async () => {
  await child?.kill();
  await place.remove();
});

const open = (vary: Partial<SqliteLedgerOptions> = {}) =>
  openSqliteLedger({ path: place.path, signer: place.signer, ...vary });

async function filled(entries: number): Promise<void> {
  const ledger = await open();
  for (let n = 0; n < entries; n += 1) await ledger.commit(change('a.change', { writes: [] }));
  await ledger.close();
}

function tamper(sql: string): void {
  const database = new DatabaseSync(place.path);
  database.exec(sql);
  database.close();
}

describe('one process alone writes', () => {
  test('a second one is told so, and gets the ledger when the first was killed', async () => {
    child = await LedgerChild.start(place);
    await expect(open()).rejects.toMatchObject({ code: 'ledger_in_use' });
    await child.ask('commit', 'acknowledged');
    await child.kill();
    const ledger = await open();
    expect(ledger.status().size).toBe(1);
    await ledger.close();
  });

  test('also inside one process', async () => {
    const ledger = await open();
    await expect(open()).rejects.toMatchObject({ code: 'ledger_in_use' });
    expect(await ledger.commit(change('a.change'))).toMatchObject({ committed: true });
    await ledger.close();
  });
});

describe('the files', () => {
  test('stay in proportion: what is committed moves from the write-ahead log to the ledger itself', async () => {
    const ledger = await open();
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(Array.from({ length: 200 }, () => ledger.commit(change('a.change', { writes: [] }))));
    }
    const [log, own] = await Promise.all([stat(`${place.path}-wal`), stat(place.path)]);
    expect(log.size).toBeLessThan(32 * 1024 * 1024);
    expect(own.size).toBeGreaterThan(1024 * 1024);
    await ledger.close();
  });

  test('are made for their owner alone', async () => {
    const ledger = await open();
    await ledger.commit(change('a.change'));
    const names = await readdir(place.folder);
    expect(names.sort()).toEqual(['ledger.db', 'ledger.db-shm', 'ledger.db-wal', 'ledger.db.lock']);
    for (const name of names) expect((await stat(join(place.folder, name))).mode & 0o777).toBe(0o600);
    await ledger.close();
  });

  test('are refused when others may read them', async () => {
    await filled(1);
    await chmod(place.path, 0o640);
    await expect(open()).rejects.toMatchObject({ code: 'config_invalid', fix: `Run: chmod 600 ${place.path}` });
  });

  test('are refused in a folder that others may write to', async () => {
    await chmod(place.folder, 0o770);
    await expect(open()).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test('are refused behind a symbolic link, and in a folder that is not there', async () => {
    await filled(1);
    const link = join(place.folder, 'link.db');
    await symlink(place.path, link);
    await expect(open({ path: link })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(open({ path: join(place.folder, 'no', 'x.db') })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});

describe('a ledger that was changed behind its back is not opened', () => {
  test.each([
    ['the text of an entry', `UPDATE entries SET json = replace(json, 'alice', 'mallo') WHERE idx = 3`, 'entry 3'],
    ['a leaf hash', `UPDATE entries SET leaf = zeroblob(32) WHERE idx = 3`, 'entry 3'],
    ['the kind that an entry is found by', `UPDATE entries SET kind = 'x.hidden' WHERE idx = 3`, 'another kind'],
    ['its actor', `UPDATE entries SET actor = 'person:eve' WHERE idx = 3`, 'another actor'],
    ['its credential', `UPDATE entries SET credential = 'a/b' WHERE idx = 3`, 'another credential'],
    ['its time', 'UPDATE entries SET time = time - 1 WHERE idx = 3', 'another time'],
    ['an entry taken out', 'DELETE FROM entries WHERE idx = 3', 'entry 3 is missing'],
    ['the last entry taken off', 'DELETE FROM entries WHERE idx = 9', 'it has 9 entries'],
    [
      'an entry put on',
      `INSERT INTO entries SELECT 10, time, kind, actor, credential, json, leaf FROM entries WHERE idx = 9`,
      'it has 11 entries',
    ],
    ['the head', 'UPDATE head SET size = 9', 'its head is at 9'],
    ['the frontier', `UPDATE head SET frontier = zeroblob(64)`, 'another root'],
    ['no head', 'DELETE FROM head', 'no head'],
    ['no checkpoint', 'DELETE FROM checkpoints', 'no checkpoint'],
    ['the newest checkpoint gone', 'DELETE FROM checkpoints WHERE size = 10', 'newest checkpoint at 9'],
    [
      'a checkpoint without a good signature',
      `UPDATE checkpoints SET note = replace(note, '/log', '/lag')`,
      'not signed',
    ],
    ['the schema of a newer version', 'PRAGMA user_version = 99', 'schema 99'],
  ])('%s', async (_, sql, says) => {
    await filled(10);
    tamper(sql);
    await expect(open()).rejects.toMatchObject({ code: 'ledger_corrupt', message: expect.stringContaining(says) });
  });

  test('a node of the tree below the entries that are hashed anew', async () => {
    await filled(10);
    tamper('UPDATE tree_nodes SET hash = zeroblob(32) WHERE level = 2 AND idx = 0');
    await expect(open({ recheckEntries: 4 })).rejects.toMatchObject({
      code: 'ledger_corrupt',
      message: expect.stringContaining('another root'),
    });
  });

  test('or that another key signed', async () => {
    await filled(2);
    const signer = { origin: ORIGIN, privateKey: generateKeyPairSync('ed25519').privateKey };
    await expect(open({ signer })).rejects.toMatchObject({ code: 'ledger_corrupt' });
  });

  test('and one that is no database is said to be unusable', async () => {
    await writeFile(place.path, 'x'.repeat(5000), { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({ code: 'ledger_unavailable' });
  });
});

test('tells every durable head in order, and the end once', async () => {
  const sizes: number[] = [];
  const states: string[] = [];
  const ledger = await open({
    onCheckpoint: (note, size) => {
      expect(note).toContain(`\n${size}\n`);
      sizes.push(size);
    },
    onStatus: ({ state }) => states.push(state),
  });
  await ledger.commit(change('a.change', { writes: [{ insert: 'holds', row: hold('h1') }] }));
  await Promise.all([ledger.commit(change('a.change')), ledger.commit(change('a.change'))]);
  await ledger.close();
  await ledger.close();
  expect(sizes).toEqual([1, 3]);
  expect(states).toEqual(['closed']);
});

test('the write-ahead log is moved to the main file while the ledger runs, and nothing is missed', async () => {
  const ledger = await open();
  for (let n = 0; n < 650; n += 1) await ledger.commit(change('a.change', { receipt: { seen: 0 } }));
  const before = (await stat(place.path)).size;
  expect(before).toBeGreaterThan(100_000);
  expect(await ledger.entries({ limit: 1000 })).toHaveLength(650);
  await ledger.close();
});
