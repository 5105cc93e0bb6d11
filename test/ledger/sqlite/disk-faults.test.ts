import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyReceipt } from '../../../src/audit/receipt.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { LedgerChild } from './child.ts';
import { freshPlace } from './place.ts';
import { type Detach, injectIntoSyncs } from './strace.ts';

const STALL_AFTER_MS = 600;

let place: Awaited<ReturnType<typeof freshPlace>>;
let child: LedgerChild;
let undo: Detach[];

beforeEach(async () => {
  place = await freshPlace();
  undo = [];
});
afterEach(async () => {
  for (const each of undo) await each();
  await child.kill();
  await place.remove();
});

/** Everything acknowledged is on the log, with a receipt that verifies; gives the size. */
async function assertNothingLost(path: string): Promise<number> {
  const ledger = await openSqliteLedger({ path, signer: place.signer });
  const ids = new Set((await ledger.find('holds', {}, { limit: 1_000_000 })).map(({ id }) => id));
  for (const { id, receipt } of child.all('acknowledged')) {
    expect(ids.has(id)).toBe(true);
    const { index, entry } = verifyReceipt(receipt, place.verifier, null);
    expect(await ledger.entries({ from: index, to: index + 1 })).toMatchObject([{ index, json: receipt.entry }]);
    expect(entry.kind).toBe('hold.placed');
  }
  const { size } = ledger.status();
  await ledger.close();
  return size;
}

describe('a disk whose syncs fail', () => {
  test('ends the ledger at the first one: nothing is acknowledged, and nothing ever again', async () => {
    child = await LedgerChild.start(place);
    await child.ask('commit', 'acknowledged');
    undo.push(await injectIntoSyncs(child.pid, 'error=EIO'));
    const rejected = await child.ask('commit', 'rejected');
    expect(rejected.code).toBe('ledger_unavailable');
    expect((await child.next('status')).status).toMatchObject({ state: 'failed', size: 1, pending: 0 });
    // The disk is well again; a sync that would succeed now proves nothing about the one that failed.
    await undo.pop()?.();
    expect((await child.ask('commit', 'rejected')).code).toBe('ledger_unavailable');
    expect((await child.ask('find', 'rejected')).code).toBe('ledger_unavailable');
    expect(child.all('acknowledged')).toHaveLength(1);
    await child.kill();
    expect(await assertNothingLost(place.path)).toBeGreaterThanOrEqual(1);
  });

  test('loses nothing that was acknowledged under load', async () => {
    child = await LedgerChild.start(place);
    child.tell('burst');
    await child.next('acknowledged', 50);
    undo.push(await injectIntoSyncs(child.pid, 'error=EIO'));
    await child.next('status');
    const report = await child.ask('report', 'report');
    expect(report.status).toMatchObject({ state: 'failed', pending: 0 });
    await child.kill();
    await assertNothingLost(place.path);
  });
});

describe('a disk whose syncs hang', () => {
  test('stalls the ledger in time, while the main thread goes on and answers at once', async () => {
    child = await LedgerChild.start(place, { stallAfterMs: STALL_AFTER_MS });
    await child.ask('commit', 'acknowledged');
    undo.push(await injectIntoSyncs(child.pid, 'delay_enter=3000000'));
    await child.ask('report', 'report');
    const rejected = await child.ask('commit', 'rejected');
    expect(rejected.code).toBe('ledger_unavailable');
    const { status, atMs } = await child.next('status');
    expect(status).toMatchObject({ state: 'stalled', size: 1 });
    expect(atMs - rejected.startMs).toBeGreaterThanOrEqual(STALL_AFTER_MS - 5);
    expect(atMs - rejected.startMs).toBeLessThanOrEqual(STALL_AFTER_MS + 100);
    const report = await child.ask('report', 'report');
    expect(report.worstLagMs).toBeLessThan(100);
    expect(report.statusMs).toBeLessThan(5);
    expect((await child.ask('commit', 'rejected')).endMs).toBeGreaterThan(0);
  });

  test('releases nothing when the commit that hung becomes durable after all', async () => {
    child = await LedgerChild.start(place, { stallAfterMs: STALL_AFTER_MS });
    await child.ask('commit', 'acknowledged');
    undo.push(await injectIntoSyncs(child.pid, 'delay_enter=1500000'));
    await child.ask('commit', 'rejected');
    await entriesBecome(place.path, 2);
    const report = await child.ask('report', 'report');
    expect(report.status).toMatchObject({ state: 'stalled', size: 1 });
    expect(child.all('acknowledged')).toHaveLength(1);
    await child.kill();
    expect(await assertNothingLost(place.path)).toBe(2);
  });
});

describe('a full disk', () => {
  test('ends the ledger without losing what was acknowledged; with room again it goes on', async () => {
    const small = smallDisk(join(place.folder, 'small'));
    const path = join(small.folder, 'ledger.db');
    child = await LedgerChild.start({ ...place, path }, small.limits);
    child.tell('burst');
    const { status } = await child.next('status');
    expect(status.state).toBe('failed');
    expect((await child.next('rejected')).code).toBe('ledger_unavailable');
    expect(child.all('acknowledged').length).toBeGreaterThan(5);
    await child.kill();
    small.makeRoom();
    expect(await assertNothingLost(path)).toBeGreaterThan(5);
  });
});

/** Another process's view of the file, asked again until it is so. */
async function entriesBecome(path: string, count: number): Promise<void> {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    for (;;) {
      const row = database.prepare('SELECT count(*) AS n FROM entries').get();
      if (Number(row?.['n']) === count) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    database.close();
  }
}

/** A small file system where this user may mount one, else a limit on the size of files. */
function smallDisk(folder: string) {
  mkdirSync(folder, { mode: 0o700 });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', folder]).status === 0;
  if (!mounted) return { folder, limits: { limitFileKiB: 512 }, makeRoom: () => undefined };
  undo.push(async () => void spawnSync('umount', ['-l', folder]));
  const makeRoom = () => void spawnSync('mount', ['-o', 'remount,size=64m', folder]);
  return { folder, limits: {}, makeRoom };
}
