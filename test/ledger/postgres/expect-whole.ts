import { expect } from 'vitest';
import type { LogVerifier } from '../../../src/audit/checkpoint.ts';
import { exportLines } from '../../../src/audit/export.ts';
import { verifyExport } from '../../../src/audit/verify.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { ORIGIN } from './harness.ts';

const PAGE = 1000;

/** The whole log, as an auditor verifies it: every entry, leaf and checkpoint, and one tree over all. */
export async function expectWhole(ledger: Ledger, verifier: LogVerifier): Promise<void> {
  const { size, checkpoint } = await ledger.head();
  const source = { origin: ORIGIN, size, entries: allEntries(ledger, size), checkpoints: allCheckpoints(ledger) };
  const report = await verifyExport(exportLines(source), verifier, { since: [checkpoint] });
  expect(report).toMatchObject({ intact: true, entries: size });
}

async function* allEntries(ledger: Ledger, size: number) {
  for (let from = 0; from < size; from += PAGE) {
    yield* await ledger.entries({ from, to: Math.min(from + PAGE, size), limit: PAGE });
  }
}

async function* allCheckpoints(ledger: Ledger) {
  for (let after = -1; ; ) {
    const page = await ledger.checkpoints(after, PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.size;
  }
}
