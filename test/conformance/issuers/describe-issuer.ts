import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IssuerKind } from '../../../src/issuer/registry.ts';
import { issuerHarnesses } from './harnesses.ts';
import { type IssuerCase, issuerCases, runIssuerCase } from './issuer.ts';

export const ISSUER_CASES = Object.keys(issuerCases) as IssuerCase[];

/** The whole suite on one adapter; the server that its harness needs is started before and stopped after. */
export function describeIssuer(kind: IssuerKind): void {
  const { start, makePlace, exceptions } = issuerHarnesses[kind];
  describe(`the issuer adapter ${kind}`, () => {
    let server: AsyncDisposable | undefined;
    beforeAll(async () => {
      server = await start?.();
    });
    afterAll(() => server?.[Symbol.asyncDispose]());

    for (const name of ISSUER_CASES) {
      const reason = exceptions[name];
      if (reason === undefined) it(name, () => runIssuerCase(name, kind, makePlace));
      else {
        it(`is not proven (${reason}): ${name}`, async () => {
          await expect(runIssuerCase(name, kind, makePlace)).rejects.toThrow();
        });
      }
    }
  });
}
