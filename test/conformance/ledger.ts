import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LogVerifier } from '../../src/audit/checkpoint.ts';
import { EMPTY_ROOT } from '../../src/audit/merkle.ts';
import { verifyReceipt } from '../../src/audit/receipt.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { checksAndWrites } from './ledger-changes.ts';
import { logAndReceipts } from './ledger-log.ts';
import { modelProperty } from './ledger-model.ts';
import { followingAndFences } from './ledger-replicas.ts';

/** What an adapter gives the suite. */
export interface LedgerHarness {
  /** Starts the server that it needs, once before all. */
  start?(): Promise<AsyncDisposable>;
  /** A fresh, empty ledger in a place of its own, reading this clock. */
  create(clock: Clock): Promise<LedgerUnderTest>;
}

export interface LedgerUnderTest {
  readonly ledger: Ledger;
  /** Knows the log's key. */
  readonly verifier: LogVerifier;
  /** The same ledger opened again, to begin a generation of its log when one is given; the one before is closed. */
  reopen(generation?: number): Promise<Ledger>;
  /** Closes it and removes every trace. */
  dispose(): Promise<void>;
}

/** A clock that stands still until it is told otherwise. */
export class FrozenClock implements Clock {
  time = Date.UTC(2026, 10, 23, 10);
  now = () => this.time;
  monotonic = () => 0;
}

export interface Subject extends LedgerUnderTest {
  readonly clock: FrozenClock;
}

/** The promises of the port, on one adapter. */
export function ledgerConformance(name: string, harness: LedgerHarness): void {
  describe(`the ${name} ledger keeps the port's promises`, () => {
    let subject: Subject;
    const current = () => subject;
    let server: AsyncDisposable | undefined;

    beforeAll(async () => {
      server = await harness.start?.();
    });
    afterAll(() => server?.[Symbol.asyncDispose]());
    beforeEach(async () => {
      const clock = new FrozenClock();
      subject = { clock, ...(await harness.create(clock)) };
    });
    afterEach(() => subject.dispose());

    test('an empty ledger has a signed checkpoint of the empty tree', async () => {
      const head = await subject.ledger.head();
      const checkpoint = subject.verifier.open(head.checkpoint);
      expect(head.size).toBe(0);
      expect(checkpoint.size).toBe(0);
      expect(checkpoint.root.equals(EMPTY_ROOT)).toBe(true);
      expect(subject.ledger.status()).toEqual({ state: 'ready', detail: '', pending: 0, size: 0 });
    });

    test('what was committed is there after it was closed and opened again', async () => {
      for (let n = 0; n < 20; n += 1) {
        await subject.ledger.commit({
          writes: [{ insert: 'stores', row: { store: `s${n}`, generation: n, digest: 'aa' } }],
          entry: { kind: 'store.seen', actor: 'system', data: { n } },
        });
      }
      const before = await subject.ledger.head();
      const again = await subject.reopen();
      expect(await again.head()).toEqual(before);
      expect(await again.find('stores', {})).toHaveLength(20);
      const outcome = await again.commit({
        entry: { kind: 'store.seen', actor: 'system', data: {} },
        receipt: { seen: before.size },
      });
      if (!outcome.committed || outcome.receipt === null) throw new Error('no receipt');
      const seen = subject.verifier.open(before.checkpoint);
      expect(verifyReceipt(outcome.receipt, subject.verifier, seen).index).toBe(20);
    });

    test('a generation begins when it is asked for, and the log goes on in it until a later one begins', async () => {
      const generation = async () => subject.verifier.open((await ledger.head()).checkpoint).generation;
      const entry = { kind: 'store.seen', actor: 'system', data: {} };
      let ledger = subject.ledger;
      await ledger.commit({ entry });
      expect(await generation()).toBe(1);
      ledger = await subject.reopen(3);
      // Nothing is signed anew: the checkpoint that stands is the one that was given out.
      expect(await generation()).toBe(1);
      await ledger.commit({ entry });
      expect(await generation()).toBe(3);
      for (const lower of [undefined, 2]) {
        ledger = await subject.reopen(lower);
        await ledger.commit({ entry });
        expect(await generation()).toBe(3);
      }
      const sizes = (await ledger.checkpoints(0)).map(({ checkpoint }) => subject.verifier.open(checkpoint).generation);
      expect(sizes).toEqual([1, 3, 3, 3]);
    });

    test('closing finishes what is pending, and rejects what comes later', async () => {
      const pending = subject.ledger.commit({ entry: { kind: 'a.pending', actor: 'system', data: {} } });
      const closed = subject.ledger.close();
      await expect(
        subject.ledger.commit({ entry: { kind: 'a.late', actor: 'system', data: {} } }),
      ).rejects.toMatchObject({ code: 'ledger_unavailable' });
      expect(await pending).toMatchObject({ committed: true, index: 0 });
      await closed;
      expect(subject.ledger.status().state).toBe('closed');
      await expect(subject.ledger.find('holds', {})).rejects.toMatchObject({ code: 'ledger_unavailable' });
      await expect(subject.ledger.head()).rejects.toMatchObject({ code: 'ledger_unavailable' });
      await expect(subject.ledger.entries({})).rejects.toMatchObject({ code: 'ledger_unavailable' });
      const again = await subject.reopen();
      expect((await again.head()).size).toBe(1);
    });

    checksAndWrites(current);
    logAndReceipts(current);
    followingAndFences(current);
    modelProperty(harness);
  });
}
