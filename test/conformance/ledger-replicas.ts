import { describe, expect, test } from 'vitest';
import type { EntryRange } from '../../src/ledger/ledger.ts';
import type { Subject } from './ledger.ts';
import { change } from './ledger-rows.ts';

/** What replicas need of one another; true of a single one too. */
export function followingAndFences(subject: () => Subject): void {
  const record = () => subject().ledger.commit(change('a.change'));

  describe('a follower', () => {
    test('hears of what is there, and of each commit before its caller goes on, without a gap', async () => {
      const { ledger } = subject();
      await record();
      await record();
      const heard: EntryRange[] = [];
      const end = ledger.follow(1, (range) => heard.push(range));
      await record();
      expect(heard.at(-1)).toMatchObject({ to: 3 });
      await Promise.all([record(), record()]);
      end();
      await record();
      expect(heard[0]?.from).toBe(1);
      expect(heard.at(-1)?.to).toBe(5);
      for (const [n, { from, to }] of heard.entries()) {
        expect(to).toBeGreaterThan(from);
        if (n > 0) expect(from).toBe(heard[n - 1]?.to);
      }
    });

    test('hears nothing of a change that leaves no entry', async () => {
      const { ledger } = subject();
      const heard: EntryRange[] = [];
      ledger.follow(0, (range) => heard.push(range));
      await ledger.commit(change('a.change', { checks: [{ rule: 'never', table: 'holds', some: {} }] }));
      expect(heard).toEqual([]);
    });
  });

  describe('a fence', () => {
    const gate = () => Promise.withResolvers<void>();

    test('keeps a second one out, or waiting, until the first is done', async () => {
      const { ledger } = subject();
      const [entered, leave] = [gate(), gate()];
      const seen: string[] = [];
      const first = ledger.withFence(['chores', 'store a'], 'wait', async () => {
        entered.resolve();
        await leave.promise;
        seen.push('first');
        return 1;
      });
      await entered.promise;
      expect(await ledger.withFence(['chores'], 'try', async () => 2)).toEqual({ ran: false });
      const third = ledger.withFence(['store a'], 'wait', async () => seen.push('third'));
      expect(await ledger.withFence(['store b'], 'try', async () => 4)).toEqual({ ran: true, value: 4 });
      leave.resolve();
      expect(await first).toEqual({ ran: true, value: 1 });
      await third;
      expect(seen).toEqual(['first', 'third']);
      expect(await ledger.withFence(['chores'], 'try', async () => 5)).toEqual({ ran: true, value: 5 });
    });

    test('is open again after work that failed, with the error of the work', async () => {
      const { ledger } = subject();
      const failed = ledger.withFence(['chores'], 'wait', () => Promise.reject(new Error('the work failed')));
      await expect(failed).rejects.toThrow('the work failed');
      expect(await ledger.withFence(['chores'], 'try', async () => 1)).toEqual({ ran: true, value: 1 });
    });

    test('lets those inside commit with its checks', async () => {
      const { ledger } = subject();
      for (let turn = 0; turn < 2; turn += 1) {
        const inside = await ledger.withFence(['chores'], 'wait', ({ checks }) =>
          ledger.commit(change('a.change', { checks })),
        );
        expect(inside).toMatchObject({ ran: true, value: { committed: true } });
      }
    });
  });
}
