import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { issuerAdapters } from '../../../src/issuer/registry.ts';
import { brokenIssuers, MemoryIssuer, memoryPlace } from './broken-issuer.ts';
import { ISSUER_CASES as CASES, describeIssuer } from './describe-issuer.ts';
import { issuerHarnesses } from './harnesses.ts';
import { runIssuerCase } from './issuer.ts';

it('every issuer adapter that the registry knows has a harness', () => {
  expect(Object.keys(issuerHarnesses).sort()).toEqual(Object.keys(issuerAdapters).sort());
});

it('every issuer adapter that the registry knows is run through the suite by one test file', () => {
  const files = globSync('*.test.ts', { cwd: import.meta.dirname });
  const texts = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
  const described = texts.flatMap((text) =>
    [...text.matchAll(/^describeIssuer\('([a-z-]+)'\)/gm)].map((found) => found[1] ?? ''),
  );
  expect(described.toSorted((a, b) => a.localeCompare(b))).toEqual(Object.keys(issuerAdapters).sort());
});

describeIssuer('local');
describeIssuer('manual');

describe('the conformance suite of issuers', () => {
  it('passes a driver that keeps every promise', async () => {
    for (const name of CASES) await runIssuerCase(name, 'local', memoryPlace(MemoryIssuer));
  });

  const failedBy = new Map<string, string[]>();
  for (const [fault, Broken] of Object.entries(brokenIssuers)) {
    it(`finds a driver that ${fault}`, async () => {
      const outcomes = await Promise.allSettled(CASES.map((name) => runIssuerCase(name, 'local', memoryPlace(Broken))));
      const failed = CASES.filter((_name, at) => outcomes[at]?.status === 'rejected');
      expect(failed).not.toEqual([]);
      for (const name of failed) failedBy.set(name, [...(failedBy.get(name) ?? []), fault]);
    });
  }

  it('has no case that none of the planted faults fails', () => {
    expect(CASES.filter((name) => !failedBy.has(name))).toEqual([]);
  });
});
