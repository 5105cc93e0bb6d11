import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freshPlace } from '../place.ts';
import { assertNothingLost } from './acknowledged.ts';
import { LedgerChild } from './child.ts';
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
    expect(await assertNothingLost(place, place.path, child)).toBeGreaterThanOrEqual(1);
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
    await assertNothingLost(place, place.path, child);
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
    expect(await assertNothingLost(place, place.path, child)).toBe(2);
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
