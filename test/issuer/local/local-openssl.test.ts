import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { IssuerDriver, Publishing } from '../../../src/issuer/driver.ts';
import { type Issued, Issuer } from '../../../src/issuer/issuer.ts';
import { openLocalIssuer } from '../../../src/issuer/local/local-issuer.ts';
import type { LocalIssuerOptions } from '../../../src/issuer/local/options.ts';
import type { RevocationReason } from '../../../src/issuer/reason.ts';
import type { KeyStore } from '../../../src/keystore/keystore.ts';
import { spkiOfPkcs8 } from '../../../src/x509/private-key.ts';
import { newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { makeRequest } from '../../../src/x509/request/request.ts';
import { anIssuance } from '../../conformance/issuers/issuer.ts';
import { makeAuthorityHome } from '../../conformance/issuers/local.ts';
import { foreignRequest } from '../../conformance/issuers/openssl.ts';
import { run } from '../../fakes/programs.ts';

const HOUR = 3_600_000;

let home: Awaited<ReturnType<typeof makeAuthorityHome>>;
let ahead = 0;

beforeEach(async () => {
  ahead = 0;
  home = await makeAuthorityHome({ ...systemClock, now: () => Date.now() + ahead });
});
afterEach(() => home.remove());

function opened(options: Partial<LocalIssuerOptions> = {}): { driver: IssuerDriver & Publishing; issuer: Issuer } {
  const driver = openLocalIssuer({ name: 'internal', home, ...options });
  return { driver, issuer: new Issuer('internal', 'local', driver, { clock: home.clock }) };
}

async function issued(issuer: Issuer, more: { lifetimeSeconds?: number } = {}): Promise<Issued> {
  return (await issuer.issue(await anIssuance(more))) as Issued;
}

async function revoke(issuer: Issuer, { certificate }: Issued, reason: RevocationReason = 'superseded') {
  const { byHand } = await anIssuance();
  return issuer.revoke({ certificate: certificate.pem, reason, byHand });
}

async function read(kind: 'x509' | 'crl', pem: string): Promise<string> {
  const ran = await run('openssl', [kind, '-noout', '-text'], pem);
  if (ran.exitCode !== 0) throw new Error(ran.stderr);
  return ran.stdout;
}

async function kinds(): Promise<string[]> {
  const entries = await home.ledger.entries({ limit: 1000 });
  return entries.map(({ json }) => JSON.parse(json).kind);
}

async function spkiLeft(store: KeyStore | undefined): Promise<string> {
  using octets = await store?.read('issuers/internal/1');
  if (octets === undefined) throw new Error('There is no such store.');
  return spkiOfPkcs8(octets);
}

describe('the authority', () => {
  test('signs nothing but clients: path length 0, clientAuth, no other use', async () => {
    const text = await read('x509', await opened({ commonName: 'Acme clients' }).driver.authority());
    expect(text).toMatch(/Subject: CN\s?=\s?Acme clients/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\s/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\s/);
  });

  test('is made once, also by many who need it at the same moment, and its key rests in the store alone', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => opened().driver.authority()));
    expect(new Set(all).size).toBe(1);
    expect(await home.stores.get('file')?.list()).toEqual(['issuers/internal/1']);
    expect(await kinds()).toEqual(['issuer.authority-intended', 'issuer.authority-made']);
  });

  test('goes on with the key that an interrupted making has left', async () => {
    let strike = true;
    const attested = async (store: string) => {
      if (strike) throw new Error('struck');
      return home.attested(store);
    };
    await expect(opened({ home: { ...home, attested } }).driver.authority()).rejects.toThrow('struck');
    const store = home.stores.get('file');
    const left = await spkiLeft(store);
    strike = false;
    await opened().driver.authority();
    expect(await spkiLeft(store)).toBe(left);
    expect(await kinds()).toEqual(['issuer.authority-intended', 'issuer.authority-made']);
  });

  test('does not sign with another key than its certificate’s, and says that nothing was issued', async () => {
    const { issuer, driver } = opened();
    await driver.authority();
    const store = home.stores.get('file');
    await store?.destroy('issuers/internal/1');
    const asked = await anIssuance();
    await expect(issuer.issue(asked)).rejects.toMatchObject({ code: 'issuer_unavailable', facts: { certain: true } });
    const other = await newPrivateKey('EC P-256');
    await store?.write('issuers/internal/1', other.pkcs8);
    await expect(issuer.issue(asked)).rejects.toMatchObject({ code: 'issuer_unavailable', facts: { certain: true } });
    expect(await issuer.find(asked.request.spki)).toEqual([]);
  });
});

describe('a certificate', () => {
  test('says what it is for and no more, and where the list is', async () => {
    const { certificate } = await issued(opened({ listUrl: 'http://pki.internal/a.crl' }).issuer);
    const text = await read('x509', certificate.pem);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\s/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\s/);
    expect(text).toContain('URI:http://pki.internal/a.crl');
    expect(text).toContain('URI:spiffe://acme.example/payments');
  });

  test('lasts no longer than the issuer allows, nor than the authority itself', async () => {
    const { issuer } = opened({ maximumSeconds: 60 });
    const { certificate } = await issued(issuer, { lifetimeSeconds: 3600 });
    expect(certificate.notAfter).toBeLessThanOrEqual(home.clock.now() + 60_000);
    ahead = 9.99 * 365.25 * 24 * HOUR;
    const late = await issued(opened({ maximumSeconds: 999_999_999 }).issuer, { lifetimeSeconds: 999_999_999 });
    expect(late.certificate.notAfter).toBe(late.chain[0]?.notAfter);
  });

  test('is given once for a key: the same issuance gets it again, another none, a revoked one none', async () => {
    const { issuer } = opened();
    const asked = await anIssuance();
    const all = await Promise.all([issuer.issue(asked), issuer.issue(asked), issuer.issue(asked)]);
    expect(new Set(all.map((each) => (each as Issued).certificate.serial)).size).toBe(1);
    await expect(issuer.issue({ ...asked, id: 'another' })).rejects.toMatchObject({ code: 'issuer_refused' });
    await revoke(issuer, all[0] as Issued);
    await expect(issuer.issue(asked)).rejects.toMatchObject({ code: 'issuer_refused' });
    expect((await kinds()).filter((kind) => kind === 'issuer.issued')).toHaveLength(1);
  });

  test('is refused to a request with a name of another kind', async () => {
    const der = await foreignRequest(
      '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=them -addext subjectAltName=email:root@acme.example',
    );
    const asked = await anIssuance();
    const request = { ...asked.request, der };
    await expect(opened().issuer.issue({ ...asked, request })).rejects.toMatchObject({ code: 'issuer_refused' });
  });

  test('of a long key is signed as well', async () => {
    const key = await newPrivateKey('RSA-3072');
    const asked = await anIssuance();
    const request = await makeRequest(key, asked.request.identity);
    expect(await opened().issuer.issue({ ...asked, request })).toMatchObject({ mismatches: [] });
  });
});

describe('the revocation list', () => {
  test('names serial and reason, counts up with each change, and says when the next one comes', async () => {
    const { issuer, driver } = opened();
    const [one, two] = [await issued(issuer), await issued(issuer)];
    expect((await driver.revocationList()).number).toBe(1);
    await revoke(issuer, one, 'keyCompromise');
    await revoke(issuer, two, 'unspecified');
    const list = await driver.revocationList();
    const text = await read('crl', list.pem);
    expect(list.number).toBe(3);
    expect(text).toMatch(/CRL Number:\s+3\s/);
    expect(text).toContain('X509v3 Authority Key Identifier');
    expect(text.match(/CRL Reason Code:\s+Key Compromise/g)).toHaveLength(1);
    expect(text.match(/Serial Number/g)).toHaveLength(2);
    expect(text.toLowerCase()).toContain(one.certificate.serial);
    expect(list.until - list.from).toBe(24 * HOUR);
  });

  test('is signed anew past half of its time, and keeps its entries until a while after their end', async () => {
    const { issuer, driver } = opened();
    await revoke(issuer, await issued(issuer, { lifetimeSeconds: 3600 }));
    const first = await driver.revocationList();
    ahead = 11 * HOUR;
    expect(await driver.revocationList()).toEqual(first);
    ahead = 13 * HOUR;
    const second = await driver.revocationList();
    expect(second.number).toBe(first.number + 1);
    expect(second.until).toBeGreaterThan(first.until);
    expect(await read('crl', second.pem)).toContain('Serial Number');
    ahead = 80 * HOUR;
    expect(await read('crl', (await driver.revocationList()).pem)).toContain('No Revoked Certificates');
  });

  test('holds while no new one can be signed, and not past its end', async () => {
    const { driver } = opened();
    const first = await driver.revocationList();
    await home.stores.get('file')?.destroy('issuers/internal/1');
    ahead = 13 * HOUR;
    expect(await driver.revocationList()).toEqual(first);
    ahead = 25 * HOUR;
    await expect(driver.revocationList()).rejects.toMatchObject({ code: 'issuer_unavailable' });
  });

  test('has every revocation of many at the same moment', async () => {
    const { issuer, driver } = opened();
    const all = await Promise.all(Array.from({ length: 25 }, () => issued(issuer)));
    await Promise.all(all.map((each) => revoke(issuer, each)));
    expect((await read('crl', (await driver.revocationList()).pem)).match(/Serial Number/g)).toHaveLength(25);
  });

  test('keeps when and why a certificate was revoked; only a leak replaces another reason', async () => {
    const { issuer, driver } = opened();
    const one = await issued(issuer);
    await revoke(issuer, one, 'superseded');
    const first = /Revocation Date: (.*)/.exec(await read('crl', (await driver.revocationList()).pem))?.[1];
    ahead = HOUR;
    expect(await revoke(issuer, one, 'cessationOfOperation')).toEqual({ kind: 'revoked', reasonKept: false });
    expect(await revoke(issuer, one, 'keyCompromise')).toEqual({ kind: 'revoked', reasonKept: true });
    const text = await read('crl', (await driver.revocationList()).pem);
    expect(text).toMatch(/CRL Reason Code:\s+Key Compromise/);
    expect(/Revocation Date: (.*)/.exec(text)?.[1]).toBe(first);
    expect((await kinds()).filter((kind) => kind === 'issuer.revoked')).toHaveLength(2);
  });
});
