import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LEDGER_ADAPTERS } from '../../src/ledger/registry.ts';
import { ledgerConformance } from '../conformance/ledger.ts';
import { LEDGER_HARNESSES } from './harnesses.ts';

const adapters = Object.keys(LEDGER_ADAPTERS).sort();

test('every adapter of the registry has a harness for the conformance suite', () => {
  expect(Object.keys(LEDGER_HARNESSES).sort()).toEqual(adapters);
});

test('every adapter of the registry is run through the suite by one test file', () => {
  const texts = globSync('**/*.test.ts', { cwd: import.meta.dirname }).map((file) =>
    readFileSync(join(import.meta.dirname, file), 'utf8'),
  );
  const run = texts.flatMap((text) =>
    [...text.matchAll(/^ledgerConformance\('(\w+)'/gm)].map((found) => found[1] ?? ''),
  );
  expect(run.sort((a, b) => a.localeCompare(b))).toEqual(adapters);
});

ledgerConformance('sqlite', LEDGER_HARNESSES.sqlite);
