import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { issuerAdapters } from '../../../src/issuer/registry.ts';
import { describeIssuer } from './describe-issuer.ts';
import { issuerHarnesses } from './harnesses.ts';

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
