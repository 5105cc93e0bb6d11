import { afterEach, beforeEach, expect, test } from 'vitest';
import { Health } from '../../../src/ledger/batch/health.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { ReadWorker } from '../../../src/ledger/sqlite/read-worker.ts';
import { freshPlace } from './place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let health: Health;

const QUERY = { op: 'checkpoints', after: -1, limit: 1 } as const;

beforeEach(async () => {
  place = await freshPlace();
  const ledger = await openSqliteLedger({ path: place.path, signer: place.signer });
  await ledger.close();
  health = new Health({ fix: 'none', recovers: false });
});

afterEach(async () => {
  await place.remove();
});

test('a thread is there from the first read on, and goes when it has had nothing to do', async () => {
  const reader = new ReadWorker(place.path, health, { limitMs: 20_000, idleMs: 20 });
  expect(reader.running).toBe(false);
  expect(await reader.ask(QUERY)).toMatchObject([{ size: 0 }]);
  expect(reader.running).toBe(true);
  await expect.poll(() => reader.running).toBe(false);
  await reader.end();
});

test('a thread that went for want of work is no failure of the ledger, and comes again when it is asked', async () => {
  const reader = new ReadWorker(place.path, health, { limitMs: 20_000, idleMs: 1 });
  for (let round = 0; round < 3; round += 1) {
    expect(await reader.ask(QUERY)).toMatchObject([{ size: 0 }]);
    await expect.poll(() => reader.running).toBe(false);
  }
  await reader.end();
  expect(health.state).toBe('ready');
});

test('a thread that has work is not idle, however short idleness is', async () => {
  const reader = new ReadWorker(place.path, health, { limitMs: 20_000, idleMs: 0 });
  const asked = Array.from({ length: 500 }, () => reader.ask(QUERY));
  expect(await Promise.all(asked)).toHaveLength(500);
  await reader.end();
});
