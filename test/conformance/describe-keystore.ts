import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyStoreKind } from '../../src/keystore/registry.ts';
import { type KeyStoreCase, keyStoreCases, runKeyStoreCase } from './keystore.ts';
import { keyStoreHarnesses } from './keystore-harnesses.ts';

export const KEY_STORE_CASES = Object.keys(keyStoreCases) as KeyStoreCase[];

/** The whole suite on one adapter; the server that its harness needs is started before and stopped after. */
export function describeKeyStore(kind: KeyStoreKind): void {
  const { start, makePlace, exceptions } = keyStoreHarnesses[kind];
  describe(`the key store adapter ${kind}`, () => {
    let server: AsyncDisposable | undefined;
    beforeAll(async () => {
      server = await start?.();
    });
    afterAll(() => server?.[Symbol.asyncDispose]());

    for (const name of KEY_STORE_CASES) {
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
