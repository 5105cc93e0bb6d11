import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GENERATION_STARTED } from '../../src/audit/generation.ts';
import { verifyReceipt } from '../../src/audit/receipt.ts';
import { LogGenerations } from '../../src/ledger/generations.ts';
import { codeOf, draft, MemoryLog, newSigner } from '../audit/log.ts';

const signer = newSigner();

/** What LogGenerations reads of a ledger. */
function load(log: MemoryLog): Promise<LogGenerations> {
  const entries = log.entries
    .map(({ entry, json, leafHash }) => ({
      index: entry.index,
      kind: entry.kind,
      json,
      leafHash: leafHash.toString('base64'),
    }))
    .filter(({ kind }) => kind === GENERATION_STARTED);
  const { size, note } = log.checkpoints.at(-1)!;
  return LogGenerations.load(
    { entries: async () => entries, head: async () => ({ size, checkpoint: note }) },
    log.verifier,
  );
}

/** A log, and every one that it was lost as before: each restore takes some beginning of some earlier one. */
function story(steps: readonly { readonly of: number; readonly keep: number; readonly grow: number }[]): MemoryLog[] {
  const logs = [MemoryLog.ofBatches([1, 2, 1, 3, 1], signer)];
  for (const [at, { of, keep, grow }] of steps.entries()) {
    const lost = logs[of % logs.length]!;
    const sizes = lost.checkpoints.map(({ size }) => size).filter((size) => size > 0);
    const log = lost.restored(sizes[keep % sizes.length]!, at + 2);
    log.batch(Array.from({ length: grow }, (_, more) => draft(log.entries.length + more)));
    logs.push(log);
  }
  return logs;
}

test('whatever was restored from whatever, a client of any generation gets a receipt that it takes', async () => {
  const step = fc.record({ of: fc.nat(9), keep: fc.nat(9), grow: fc.integer({ min: 1, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 5 }),
      fc.nat(9),
      fc.nat(99),
      async (steps, from, size) => {
        const logs = story(steps);
        const now = logs.at(-1)!;
        const known = logs[from % (logs.length - 1)]!;
        // A client takes a generation up with the first tree that it sees of it.
        const least =
          known.statements.length === 0
            ? 1
            : known.checkpoints.find(({ note }) => known.verifier.open(note).generation === known.head().generation)!
                .size;
        const seen = {
          ...known.headAt(least + (size % (known.entries.length - least + 1))),
          generation: known.head().generation,
        };
        const { from: start, statements } = (await load(now)).since(seen.size, seen.generation);
        const receipt = { ...now.receipt(now.entries.length - 1, start), generations: statements };
        const { restart, generation } = verifyReceipt(receipt, now.verifier, seen);
        expect(generation).toBe(steps.length + 1);
        expect(restart).toMatchObject({ from: seen.generation, to: generation });
      },
    ),
    { numRuns: 150 },
  );
});

test('a client that has seen nothing, or knows the generation, needs no statement', async () => {
  const log = story([{ of: 0, keep: 3, grow: 2 }])[1]!;
  const generations = await load(log);
  expect(generations.current).toBe(2);
  expect(generations.since(0, 1)).toEqual({ from: 0, statements: [] });
  expect(generations.since(5, 2)).toEqual({ from: 5, statements: [] });
});

test('a client that knows a later generation is told that this server was given up', async () => {
  const generations = await load(MemoryLog.ofBatches([3], signer));
  expect(codeOf(() => generations.since(9, 2))).toBe('log_forked');
});

test('a ledger whose entries and checkpoint are not of one generation is not opened', async () => {
  const log = MemoryLog.ofBatches([3], signer);
  log.signer = signer.ofGeneration(2);
  log.batch([draft(3)]);
  await expect(load(log)).rejects.toMatchObject({ code: 'ledger_corrupt' });
  const forged = MemoryLog.ofBatches([3], signer);
  forged.batch([{ kind: GENERATION_STARTED, actor: 'local:restore', data: { statement: 'none' } }]);
  await expect(load(forged)).rejects.toMatchObject({ code: 'ledger_corrupt' });
});
