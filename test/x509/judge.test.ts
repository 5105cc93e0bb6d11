import { beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { type Candidate, judgeClientCredential } from '../../src/x509/judge.ts';
import { refusal } from './expect-refusal.ts';
import { type Made, make, makeCa, NOW, PURPOSES, type Recipe } from './made-certificate.ts';

let root: Made;
let issuer: Made;
let client: Made;

beforeAll(async () => {
  root = await makeCa({ to: 3000 });
  issuer = await makeCa({ subject: 'CN=Issuer', issuer: root, to: 2000 });
  client = await make({ issuer });
});

const chain = () => [issuer.certificate, root.certificate];

function candidate(more: Partial<Candidate> = {}, made = client): Candidate {
  return { key: made.key, certificates: [made.certificate, ...chain()], issuerChain: null, now: NOW, ...more };
}

const judged = (more?: Partial<Candidate>, made?: Made) => judgeClientCredential(candidate(more, made));
const codes = (more?: Partial<Candidate>, made?: Made) => judged(more, made).warnings.map(({ code }) => code);

async function refused(code: ErrorCode, recipe: Recipe): Promise<string> {
  const made = await make({ issuer, ...recipe });
  return refusal(code, () => judged({}, made)).message;
}

describe('a sound credential', () => {
  test('is judged without warning: leaf by key, chain in order, in whatever order it came', () => {
    const { leaf, chain: path, warnings } = judged({ certificates: [...chain().toReversed(), client.certificate] });
    expect(leaf.subject).toBe('CN=client');
    expect(path.map(({ subject }) => subject)).toEqual(['CN=Issuer', 'CN=Root']);
    expect(warnings).toEqual([]);
  });

  test('takes its chain from the profile when it has one', () => {
    const { chain: path } = judged({ certificates: [client.certificate], issuerChain: chain() });
    expect(path).toHaveLength(2);
    expect(
      judged({ certificates: [client.certificate, issuer.certificate], issuerChain: [root.certificate] }).chain,
    ).toHaveLength(2);
  });

  test('of several certificates of one key the one that lasts longest and is valid now is the leaf', async () => {
    const keys = client.keys;
    const longer = await make({ issuer, keys, to: 500 });
    const later = await make({ issuer, keys, from: 10, to: 900 });
    const certificates = [later.certificate, client.certificate, longer.certificate, ...chain()];
    expect(judged({ certificates }).leaf.fingerprint).toBe(longer.certificate.fingerprint);
    expect(codes({ certificates })).toEqual(['unused_certificates']);
  });

  test.each([
    ['expires in 29 days', { to: 29 }, ['near_expiry']],
    ['expires in 30 days', { to: 30 }, []],
    ['names no extended key usage', { purposes: null }, ['no_extended_key_usage']],
  ])('that %s', async (_what, recipe, expected) => {
    expect(codes({}, await make({ issuer, ...recipe }))).toEqual(expected);
  });

  test('warns of an issuer that expires soon, a chain without root and strangers in the upload', async () => {
    const ending = await makeCa({ subject: 'CN=Ending', issuer: root, to: 10 });
    const below = await make({ issuer: ending });
    const stranger = (await makeCa({ subject: 'CN=Stranger' })).certificate;
    const certificates: Certificate[] = [below.certificate, ending.certificate, stranger];
    expect(codes({ certificates }, below)).toEqual(['issuer_near_expiry', 'root_missing', 'unused_certificates']);
  });

  test('the number of days before expiry can be chosen', async () => {
    const made = await make({ issuer, to: 60 });
    expect(codes({ nearExpiryDays: 90 }, made)).toEqual(['near_expiry']);
  });
});

describe('each refusal has its own code, says what was found and what to do', () => {
  test('no key', () => {
    refusal('key_missing', () => judged({ key: null }));
  });

  test('no certificate, or authorities alone', () => {
    refusal('certificate_missing', () => judged({ certificates: [] }));
    expect(refusal('certificate_missing', () => judged({ certificates: chain() })).message).toContain('authorities');
  });

  test('the certificate of another key', async () => {
    const other = await make({ subject: 'CN=other', issuer });
    const error = refusal('key_mismatch', () => judged({ certificates: [other.certificate, ...chain()] }));
    expect(error.message).toContain('CN=other');
    expect(error.facts['spki']).toBe(client.key?.spki);
    expect(error.fix).not.toBeUndefined();
  });

  test('expired, not yet valid: to the millisecond', async () => {
    expect(await refused('certificate_expired', { from: -20, to: -10 })).toContain('2026-11-13');
    expect(await refused('certificate_not_yet_valid', { from: 2 })).toContain('2026-11-25');
    const { notBefore, notAfter } = client.certificate;
    expect(judged({ now: notAfter }).leaf.spki).toBe(client.key?.spki);
    refusal('certificate_expired', () => judged({ now: notAfter + 1 }));
    expect(judged({ now: notBefore }).leaf.spki).toBe(client.key?.spki);
    refusal('certificate_not_yet_valid', () => judged({ now: notBefore - 1 }));
  });

  test('not for clients, or an authority', async () => {
    const server = await refused('certificate_not_for_clients', { purposes: [PURPOSES.serverAuth] });
    expect(server).toContain('extended key usage serverAuth; key usage');
    await refused('certificate_not_for_clients', { ca: true });
  });

  test('no chain at all', () => {
    refusal('chain_missing', () => judged({ certificates: [client.certificate] }));
    refusal('chain_missing', () => judged({ certificates: [client.certificate], issuerChain: [] }));
  });

  test('a chain of another authority, an impostor of the same name, a profile that trusts another', async () => {
    const other = await makeCa({ subject: 'CN=Other' });
    const impostor = await makeCa({ subject: 'CN=Issuer' });
    for (const { certificate } of [other, impostor]) {
      const error = refusal('chain_untrusted', () => judged({ certificates: [client.certificate, certificate] }));
      expect(error.facts['issuer']).toBe('CN=Issuer');
    }
    refusal('chain_untrusted', () => judged({ issuerChain: [other.certificate] }));
  });

  test('an upload can’t bring the trust that the profile keeps for itself', async () => {
    const evil = await makeCa({ subject: 'CN=Root' });
    const made = await make({ issuer: evil });
    const certificates = [made.certificate, evil.certificate];
    expect(judged({ certificates }, made).chain).toHaveLength(1);
    refusal('chain_untrusted', () => judged({ certificates, issuerChain: [root.certificate] }, made));
  });

  test('an expired authority', async () => {
    const old = await makeCa({ subject: 'CN=Old', from: -20, to: -10 });
    const below = await make({ issuer: old });
    const error = refusal('chain_untrusted', () =>
      judged({ certificates: [below.certificate, old.certificate] }, below),
    );
    expect(error.message).toContain('"CN=Old" expired');
  });

  test('a SHA-1 signature on the leaf or on an issuer; on a root it says nothing', async () => {
    expect(await refused('key_too_weak', { hash: 'SHA-1' })).toContain('SHA-1');
    const weak = await makeCa({ subject: 'CN=Weak', issuer: root, hash: 'SHA-1' });
    const below = await make({ issuer: weak });
    refusal('key_too_weak', () =>
      judged({ certificates: [below.certificate, weak.certificate, root.certificate] }, below),
    );
    const old = await makeCa({ subject: 'CN=Old Root', hash: 'SHA-1' });
    const fine = await make({ issuer: old });
    expect(judged({ certificates: [fine.certificate, old.certificate] }, fine).chain).toHaveLength(1);
  });

  test('an authority with an RSA key of 1024 bits', async () => {
    const weak = await makeCa({ subject: 'CN=Weak', rsaBits: 1024 });
    const below = await make({ issuer: weak });
    refusal('key_too_weak', () => judged({ certificates: [below.certificate, weak.certificate] }, below));
  });
});
