import { beforeAll, describe, expect, test } from 'vitest';
import type { Certificate } from '../../src/x509/certificate.ts';
import { isSelfSigned, orderChain, verifyChain } from '../../src/x509/chain.ts';
import { typed } from '../../src/x509/peculiar.ts';
import { type Made, make, makeCa, NOW, type Recipe } from './made-certificate.ts';
import { shortestMs } from './shortest.ts';

let root: Made;
let outer: Made;
let inner: Made;
let leaf: Certificate;
let stranger: Certificate;

beforeAll(async () => {
  root = await makeCa();
  outer = await makeCa({ subject: 'CN=Outer', issuer: root });
  inner = await makeCa({ subject: 'CN=Inner', issuer: outer });
  leaf = (await make({ issuer: inner })).certificate;
  stranger = (await makeCa({ subject: 'CN=Stranger' })).certificate;
});

const subjects = (chain: readonly Certificate[]) => chain.map(({ subject }) => subject);
const all = () => [inner, outer, root].map(({ certificate }) => certificate);

function reasonOf(certificate: Certificate, issuers: readonly Certificate[], anchors?: readonly Certificate[]): string {
  const verdict = verifyChain(certificate, issuers, NOW, anchors);
  return verdict.ok ? expect.fail(`holds: ${subjects(verdict.path).join()}`) : verdict.reason;
}

/** A leaf under an authority made by a recipe, and that authority. */
async function under(recipe: Recipe, leafRecipe: Recipe = {}): Promise<[Certificate, Certificate]> {
  const issuer = await makeCa(recipe);
  return [(await make({ issuer, ...leafRecipe })).certificate, issuer.certificate];
}

describe('a chain is put in order', () => {
  test('from any order, duplicates and strangers dropped, root last', () => {
    const [a, b, c] = all() as [Certificate, Certificate, Certificate];
    for (const given of [
      [a, b, c],
      [c, b, a],
      [b, c, a, b, leaf, stranger, c],
    ]) {
      expect(subjects(orderChain(leaf, given))).toEqual(['CN=Inner', 'CN=Outer', 'CN=Root']);
    }
    expect(orderChain(leaf, [stranger])).toEqual([]);
  });

  test('a root stands last even when a cross-certificate leads further up', async () => {
    const other = await makeCa({ subject: 'CN=Other Root' });
    const cross = await makeCa({ subject: 'CN=Root', issuer: other, keys: root.keys });
    const ordered = orderChain(leaf, [other.certificate, root.certificate, cross.certificate, ...all()]);
    expect(subjects(ordered)).toEqual(['CN=Inner', 'CN=Outer', 'CN=Root', 'CN=Root', 'CN=Other Root']);
    expect(ordered.map(isSelfSigned)).toEqual([false, false, false, true, true]);
  });
});

describe('a chain that holds', () => {
  test('gives its path, in whatever order the issuers came', () => {
    const verdict = verifyChain(leaf, all().toReversed(), NOW);
    expect(verdict.ok && subjects(verdict.path)).toEqual(['CN=Inner', 'CN=Outer', 'CN=Root']);
  });

  test('may end below the root when all that was given is trusted', () => {
    const verdict = verifyChain(leaf, [inner.certificate], NOW);
    expect(verdict.ok && subjects(verdict.path)).toEqual(['CN=Inner']);
  });

  test('must end in an anchor when anchors are named, whatever else came along', () => {
    expect(verifyChain(leaf, all(), NOW, [root.certificate]).ok).toBe(true);
    expect(verifyChain(leaf, [inner.certificate, outer.certificate], NOW, [root.certificate]).ok).toBe(true);
    expect(verifyChain(leaf, all(), NOW, [outer.certificate]).ok).toBe(true);
    expect(reasonOf(leaf, all(), [stranger])).toContain('not a trusted issuer');
    expect(verifyChain(leaf, all(), NOW, []).ok).toBe(false);
  });

  test('finds its way past an expired cross-certificate', async () => {
    const expired = await makeCa({ subject: 'CN=Outer', issuer: root, keys: outer.keys, from: -20, to: -10 });
    const verdict = verifyChain(leaf, [expired.certificate, ...all()], NOW);
    expect(verdict.ok && subjects(verdict.path)).toEqual(['CN=Inner', 'CN=Outer', 'CN=Root']);
  });

  test('counts path length without the leaf and without self-issued certificates', async () => {
    const top = await makeCa({ pathLength: 1 });
    const middle = await makeCa({ subject: 'CN=Middle', issuer: top, pathLength: 0 });
    const good = (await make({ issuer: middle })).certificate;
    expect(verifyChain(good, [middle.certificate, top.certificate], NOW).ok).toBe(true);
    const below = await makeCa({ subject: 'CN=Below', issuer: middle });
    const bad = (await make({ issuer: below })).certificate;
    expect(reasonOf(bad, [below.certificate, middle.certificate, top.certificate])).toContain('allows 0');
  });
});

describe('a chain that does not hold says why', () => {
  test('no issuer, or a stranger alone', () => {
    expect(reasonOf(leaf, [])).toContain('CN=Inner');
    expect(reasonOf(leaf, [stranger])).toContain('no certificate given is the issuer');
  });

  test('a client certificate in the place of an authority (C2)', async () => {
    const [below, issuer] = await under({ ca: false });
    expect(reasonOf(below, [issuer])).toContain('not a certificate authority');
    const [under2, issuer2] = await under({ ca: null, usage: null });
    expect(reasonOf(under2, [issuer2])).toContain('not a certificate authority');
  });

  test('an authority that may not sign certificates', async () => {
    const [below, issuer] = await under({ usage: typed.KeyUsageFlags.digitalSignature });
    expect(reasonOf(below, [issuer])).toContain('not a certificate authority');
  });

  test('an expired root, which is not got around by stopping below it', async () => {
    const expired = await makeCa({ from: -20, to: -10 });
    const issuer = await makeCa({ subject: 'CN=Inner', issuer: expired });
    const below = (await make({ issuer })).certificate;
    const given = [issuer.certificate, expired.certificate];
    expect(reasonOf(below, given)).toContain('"CN=Root" expired');
    expect(reasonOf(below, given, given)).toContain('"CN=Root" expired');
  });

  test('an authority of the same name with another key', async () => {
    const impostor = (await makeCa({ subject: 'CN=Inner', issuer: outer })).certificate;
    expect(reasonOf(leaf, [impostor, ...all().slice(1)])).toContain('signature');
  });

  test('an expired authority, one of tomorrow, an expired leaf', async () => {
    const [a, expired] = await under({ from: -20, to: -10 });
    expect(reasonOf(a, [expired])).toMatch(/"CN=Root" expired on 2026-11-13/);
    const [b, future] = await under({ from: 1 });
    expect(reasonOf(b, [future])).toMatch(/not valid before 2026-11-24/);
    expect(reasonOf((await make({ issuer: inner, from: -3, to: -2 })).certificate, all())).toMatch(/expired/);
  });

  test('the last millisecond belongs to the validity, the next one does not', () => {
    const { notBefore, notAfter } = leaf;
    expect(verifyChain(leaf, all(), notAfter).ok).toBe(true);
    expect(verifyChain(leaf, all(), notAfter + 1).ok).toBe(false);
    expect(verifyChain(leaf, all(), notBefore).ok).toBe(true);
    expect(verifyChain(leaf, all(), notBefore - 1).ok).toBe(false);
  });

  test('a critical extension that nobody knows', async () => {
    const extra = [new typed.Extension('1.2.3.4', true, Buffer.from([5, 0]))];
    const [below, issuer] = await under({ extra });
    expect(reasonOf(below, [issuer])).toContain('1.2.3.4');
  });

  test('a chain longer than eight, and authorities that sign one another in a ring', async () => {
    let top = root;
    const chain = [root.certificate];
    for (let i = 0; i < 8; i++) {
      top = await makeCa({ subject: `CN=Level ${i}`, issuer: top });
      chain.push(top.certificate);
    }
    expect(reasonOf((await make({ issuer: top })).certificate, chain, [root.certificate])).toContain('not a trusted');
    const a = await makeCa({ subject: 'CN=A' });
    const b = await makeCa({ subject: 'CN=B', issuer: a });
    const back = await makeCa({ subject: 'CN=A', issuer: b, keys: a.keys });
    const below = (await make({ issuer: b })).certificate;
    expect(verifyChain(below, [b.certificate, back.certificate], NOW, [stranger]).ok).toBe(false);
  });

  test('twenty authorities of one name and key, each issued by the next, end the search soon', async () => {
    const keys = (await makeCa()).keys;
    const crowd = await Promise.all(
      Array.from({ length: 20 }, (_, i) => makeCa({ subject: 'CN=Crowd', keys, from: -2 - i })),
    );
    const below = (await make({ issuer: crowd[0]! })).certificate;
    const ring = await Promise.all(
      crowd.map((issuer, i) => makeCa({ subject: 'CN=Crowd', issuer, keys, serial: `77${i + 10}` })),
    );
    const given = ring.map(({ certificate }) => certificate);
    const search = () => verifyChain(below, given, NOW, [stranger]);
    expect(search().ok).toBe(false);
    expect(shortestMs(search)).toBeLessThan(500);
  });
});
