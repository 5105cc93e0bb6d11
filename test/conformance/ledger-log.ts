import { describe, expect, test } from 'vitest';
import type { TreeHead } from '../../src/audit/checkpoint.ts';
import { leafHash } from '../../src/audit/merkle.ts';
import { verifyReceipt } from '../../src/audit/receipt.ts';
import { TreeFrontier } from '../../src/audit/tree.ts';
import type { Subject } from './ledger.ts';
import { change } from './ledger-rows.ts';

/** Entries, checkpoints, receipts, time. */
export function logAndReceipts(subject: () => Subject): void {
  const record = (kind: string) => subject().ledger.commit(change(kind));

  describe('the log', () => {
    test('gives a receipt that verifies from every size seen before', async () => {
      const heads: TreeHead[] = [];
      for (let n = 0; n < 40; n += 1) {
        const seen = heads[Math.floor(n / 2)] ?? null;
        const outcome = await subject().ledger.commit(change('a.change', { receipt: { seen: seen?.size ?? 0 } }));
        if (!outcome.committed || outcome.receipt === null) throw new Error('no receipt');
        const proven = verifyReceipt(outcome.receipt, subject().verifier, seen);
        expect(proven).toMatchObject({ index: n, size: n + 1 });
        heads.push({ size: proven.size, root: proven.root });
      }
      for (const seen of heads) {
        const receipt = await subject().ledger.receipt(3, seen.size);
        expect(verifyReceipt(receipt, subject().verifier, seen).index).toBe(3);
      }
    });

    test('gives receipts of one batch that all verify, each for its own entry', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          subject().ledger.commit({
            entry: { kind: 'a.change', actor: 'system', data: { n } },
            receipt: { seen: 0 },
          }),
        ),
      );
      for (const [n, outcome] of outcomes.entries()) {
        if (!outcome.committed || outcome.receipt === null) throw new Error('no receipt');
        const { entry, index } = verifyReceipt(outcome.receipt, subject().verifier, null);
        expect(entry.data).toEqual({ n });
        expect(index).toBe(outcome.index);
      }
    });

    test('proves nothing to a client that says it has seen more than there is', async () => {
      await record('a.change');
      const attempt = subject().ledger.commit(change('a.change', { receipt: { seen: 99 } }));
      await expect(attempt).rejects.toMatchObject({ code: 'log_forked' });
      await expect(subject().ledger.receipt(0, 99)).rejects.toMatchObject({ code: 'log_forked' });
      expect(subject().ledger.status()).toMatchObject({ state: 'ready', size: 1 });
    });

    test('has no receipt for an entry that is not there', async () => {
      await expect(subject().ledger.receipt(0, 0)).rejects.toMatchObject({ code: 'not_found' });
    });

    test('is a Merkle tree of the exact text of its entries, signed at every commit', async () => {
      for (let n = 0; n < 9; n += 1) await record('a.change');
      await Promise.all(Array.from({ length: 30 }, () => record('a.change')));
      const entries = await subject().ledger.entries({ limit: 1000 });
      const checkpoints = await subject().ledger.checkpoints(0);
      const roots = new Map<number, Buffer>();
      const frontier = TreeFrontier.empty();
      for (const [n, entry] of entries.entries()) {
        expect(entry.index).toBe(n);
        expect(entry.leafHash).toBe(leafHash(Buffer.from(entry.json)).toString('base64'));
        frontier.append(Buffer.from(entry.leafHash, 'base64'));
        roots.set(frontier.size, frontier.root());
      }
      expect(checkpoints.length).toBeGreaterThanOrEqual(10);
      for (const { size, checkpoint } of checkpoints) {
        const signed = subject().verifier.open(checkpoint);
        expect(signed.size).toBe(size);
        expect(signed.root).toEqual(roots.get(size));
      }
      expect(checkpoints.at(-1)).toEqual(await subject().ledger.head());
    });

    test('gives checkpoints after a size, as many as wanted', async () => {
      for (let n = 0; n < 5; n += 1) await record('a.change');
      const sizes = (await subject().ledger.checkpoints(2, 2)).map(({ size }) => size);
      expect(sizes).toEqual([3, 4]);
      const all = (await subject().ledger.checkpoints(-1)).map(({ size }) => size);
      expect(all).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test('never steps back in time, and says once when the clock did', async () => {
      const { clock, ledger } = subject();
      const start = clock.time;
      await record('a.first');
      clock.time = start - 60_000;
      await record('a.second');
      clock.time = start - 30_000;
      await record('a.third');
      clock.time = start + 1;
      await record('a.fourth');
      const entries = (await ledger.entries({})).map(({ json }) => JSON.parse(json));
      const at = (ms: number) => new Date(ms).toISOString();
      expect(entries.map(({ kind, time }) => [kind, time])).toEqual([
        ['a.first', at(start)],
        ['clock.stepped-back', at(start)],
        ['a.second', at(start)],
        ['a.third', at(start)],
        ['a.fourth', at(start + 1)],
      ]);
      expect(entries[1].data).toEqual({ clock: at(start - 60_000), entriesStayAt: at(start) });
    });

    test('is asked by kind, actor, credential, index and time, from either end', async () => {
      const { clock, ledger } = subject();
      const start = clock.time;
      for (let n = 0; n < 6; n += 1) {
        clock.time = start + n;
        await ledger.commit({
          entry: {
            kind: n % 2 === 0 ? 'a.even' : 'an.odd',
            actor: n < 3 ? 'person:alice' : 'person:bob',
            ...(n === 4 ? { credential: 'lean/sandbox' } : {}),
            data: {},
          },
        });
      }
      const indexes = async (query: Parameters<typeof ledger.entries>[0]) =>
        (await ledger.entries(query)).map(({ index }) => index);
      expect(await indexes({ kind: 'a.even' })).toEqual([0, 2, 4]);
      expect(await indexes({ kind: 'a.even', actor: 'person:bob' })).toEqual([4]);
      expect(await indexes({ credential: 'lean/sandbox' })).toEqual([4]);
      expect(await indexes({ from: 1, to: 3 })).toEqual([1, 2]);
      expect(await indexes({ since: start + 2, until: start + 4 })).toEqual([2, 3, 4]);
      expect(await indexes({ since: start + 99 })).toEqual([]);
      expect(await indexes({ descending: true, limit: 2 })).toEqual([5, 4]);
      await expect(ledger.entries({ limit: 10_001 })).rejects.toMatchObject({ code: 'invalid_input' });
    });
  });
}
