import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyStoreAdapters } from '../../src/keystore/registry.ts';
import { brokenKeyStores, MemoryKeyStore, memoryPlace } from './broken-keystore.ts';
import { KEY_STORE_CASES as CASES, describeKeyStore } from './describe-keystore.ts';
import { runKeyStoreCase } from './keystore.ts';
import { keyStoreHarnesses } from './keystore-harnesses.ts';

it('every key store adapter that the registry knows has a harness', () => {
  expect(Object.keys(keyStoreHarnesses).sort()).toEqual(Object.keys(keyStoreAdapters).sort());
});

it('every key store adapter that the registry knows is run through the suite by one test file', () => {
  const files = globSync('keystore*.test.ts', { cwd: import.meta.dirname });
  const texts = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
  const described = texts.flatMap((text) =>
    [...text.matchAll(/^describeKeyStore\('(\w+)'\)/gm)].map((found) => found[1] ?? ''),
  );
  expect(described.toSorted((a, b) => a.localeCompare(b))).toEqual(Object.keys(keyStoreAdapters).sort());
});

describeKeyStore('file');

describe('the conformance suite of key stores', () => {
  it('passes a driver that keeps every promise', async () => {
    for (const name of CASES) await runKeyStoreCase(name, memoryPlace(MemoryKeyStore));
  });

  for (const [fault, Store] of Object.entries(brokenKeyStores)) {
    it(`finds a driver that ${fault}`, async () => {
      const outcomes = await Promise.allSettled(CASES.map((name) => runKeyStoreCase(name, memoryPlace(Store))));
      expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    });
  }

  it('has no case that none of the planted faults fails', async () => {
    const idle: string[] = [];
    for (const name of CASES) {
      const runs = Object.values(brokenKeyStores).map((Store) => runKeyStoreCase(name, memoryPlace(Store)));
      const outcomes = await Promise.allSettled(runs);
      if (outcomes.every(({ status }) => status === 'fulfilled')) idle.push(name);
    }
    expect(idle).toEqual([]);
  });
});
