import { expect, test } from 'vitest';
import { LEDGER_ADAPTERS, type LedgerAdapter } from '../../src/ledger/registry.ts';
import { ledgerConformance } from '../conformance/ledger.ts';
import { LEDGER_HARNESSES } from './harnesses.ts';

const adapters = Object.keys(LEDGER_ADAPTERS) as LedgerAdapter[];

test('every adapter of the registry has a harness for the conformance suite', () => {
  expect(Object.keys(LEDGER_HARNESSES).sort()).toEqual(adapters.sort());
});

for (const adapter of adapters) ledgerConformance(adapter, LEDGER_HARNESSES[adapter]);
