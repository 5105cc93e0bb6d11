import { describe, expect, it } from 'vitest';
import { keyStoreAdapters } from '../../src/keystore/registry.ts';
import { brokenKeyStores, MemoryKeyStore, memoryPlace } from './broken-keystore.ts';
import { type KeyStoreCase, keyStoreCases, runKeyStoreCase } from './keystore.ts';
import { keyStoreHarnesses } from './keystore-harnesses.ts';

const CASES = Object.keys(keyStoreCases) as KeyStoreCase[];

it('every key store adapter that the registry knows has a harness', () => {
  expect(Object.keys(keyStoreHarnesses).sort()).toEqual(Object.keys(keyStoreAdapters).sort());
});

for (const [kind, { makePlace, exceptions }] of Object.entries(keyStoreHarnesses)) {
  describe(`the key store adapter ${kind}`, () => {
    for (const name of CASES) {
      const reason = exceptions[name];
      if (reason === undefined) it(name, () => runKeyStoreCase(name, makePlace));
      else {
        it(`can't do this (${reason}): ${name}`, async () => {
          await expect(runKeyStoreCase(name, makePlace)).rejects.toThrow();
        });
      }
    }
  });
}

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
