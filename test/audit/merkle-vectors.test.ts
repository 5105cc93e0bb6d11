import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { verifyConsistency, verifyInclusion } from '../../src/audit/merkle.ts';

interface Probe {
  readonly file: string;
  readonly root: string;
  readonly leafHash: string;
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

/** Probes of transparency-dev/merkle (Apache-2.0); the file names its source and commit. */
const probes = JSON.parse(readFileSync(new URL('../vectors/merkle-proofs.json', import.meta.url), 'utf8')) as {
  readonly inclusion: readonly Probe[];
  readonly consistency: readonly Probe[];
};

function octets(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

test('the published inclusion probes: 98, of which 6 are proofs', () => {
  const judged = probes.inclusion.map((probe) =>
    verifyInclusion({
      index: probe.leafIdx,
      size: probe.treeSize,
      leafHash: octets(probe.leafHash),
      root: octets(probe.root),
      path: (probe.proof ?? []).map(octets),
    }),
  );
  expect(judged).toEqual(probes.inclusion.map((probe) => !probe.wantErr));
  expect([judged.length, judged.filter(Boolean).length]).toEqual([98, 6]);
});

/** Its roots are 12 octets ("don't care"); ours must be hashes, so the one disagreement is on the strict side. */
const STRICTER = 'consistency/additional/sizes-are-equal-one-and-proof-is-empty.json';

test('the published consistency probes: 98, of which 6 are proofs, one of them between roots that are no hashes', () => {
  const judged = probes.consistency.map((probe) =>
    verifyConsistency({
      from: probe.size1,
      to: probe.size2,
      fromRoot: octets(probe.root1),
      toRoot: octets(probe.root2),
      path: (probe.proof ?? []).map(octets),
    }),
  );
  expect(judged).toEqual(probes.consistency.map((probe) => !probe.wantErr && probe.file !== STRICTER));
  expect([judged.length, judged.filter(Boolean).length]).toEqual([98, 5]);
});
