import { expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { certificatesIn } from '../../../src/issuer/certificates.ts';
import { type IssueRequest, type IssuerDriver, isPublishing } from '../../../src/issuer/driver.ts';
import { mayHaveHappened } from '../../../src/issuer/failure.ts';
import { type Issued, Issuer } from '../../../src/issuer/issuer.ts';
import type { IssuerKind } from '../../../src/issuer/registry.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { type CertificateRequest, makeRequest } from '../../../src/x509/request/request.ts';
import { isAcceptedClient } from './openssl.ts';

/** An adapter over a place of its own, where nothing was ever issued. */
export interface IssuerPlace {
  readonly driver: IssuerDriver;
  /** PEM list that the issuer's own side gives out, and PEM of whoever signed it; null where it gives none. */
  readonly list: () => Promise<{ readonly crl: string; readonly authority: string } | null>;
  /** The adapter anew, over the same place, as after a restart. */
  readonly reopen: () => Promise<IssuerDriver>;
  readonly remove: () => Promise<void>;
}

export interface IssuerHarness {
  /** The server that it needs. */
  readonly start?: () => Promise<AsyncDisposable>;
  readonly makePlace: () => Promise<IssuerPlace>;
  /** Cases that can't be proven here, each with the reason; they must fail, so that none stands here for nothing. */
  readonly exceptions: Readonly<Partial<Record<IssuerCase, string>>>;
}

export const IDENTITY = {
  subject: [{ type: 'CN', value: 'payments.acme.example' }],
  dns: ['payments.acme.example'],
  uris: ['spiffe://acme.example/payments'],
} as const;

const BY_HAND = {
  partner: 'Acme',
  steps: ['Open the portal.'],
  contact: { role: 'security', email: 'security@acme.example' },
};
const HOUR = 3600;

let issuances = 0;

/** An issuance that nobody has asked for before, for a fresh key. */
export async function anIssuance(
  more: { readonly lifetimeSeconds?: number } = {},
): Promise<IssueRequest & { request: CertificateRequest }> {
  const key = await newPrivateKey('EC P-256');
  key.pkcs8.dispose();
  const request = await makeRequest(key, IDENTITY);
  const id = `issuance-${process.pid}-${++issuances}`;
  return {
    id,
    credential: 'acme/production',
    lifetimeSeconds: HOUR,
    issuerChain: null,
    byHand: BY_HAND,
    request,
    ...more,
  };
}

type Run = (issuer: Issuer, place: IssuerPlace) => Promise<void>;

/** Every adapter is run through each; what it says it can't do must show as such. */
export const issuerCases = {
  'hands out what a person has to do, and nothing else, when its answers are awaited': async (issuer) => {
    const asked = await anIssuance();
    const answer = await issuer.issue(asked);
    expect(answer.kind).toBe(issuer.can.answers === 'awaited' ? 'awaited' : 'issued');
    if (answer.kind === 'awaited') {
      expect(answer).toMatchObject({ request: asked.request.pem, contact: BY_HAND.contact });
      expect(answer.steps.join('\n')).toContain('Open the portal.');
    }
  },

  'issues for the key that the request is for': onlyAtOnce(async (issuer) => {
    const asked = await anIssuance();
    const { certificate, mismatches } = await issued(issuer, asked);
    expect(certificate.spki).toBe(asked.request.spki);
    expect(codes(mismatches, 'key_mismatch', 'certificate_missing')).toEqual([]);
  }),

  'issues what was asked for, and nothing beyond': onlyAtOnce(async (issuer) => {
    const { mismatches } = await issued(issuer, await anIssuance());
    expect(mismatches).toEqual([]);
  }),

  'issues for a client that OpenSSL accepts by the chain that comes with it': onlyAtOnce(async (issuer) => {
    const { certificate, chain } = await issued(issuer, await anIssuance());
    expect(chain.length).toBeGreaterThan(0);
    const trust = chain.map(({ pem }) => pem).join('');
    expect(await isAcceptedClient({ certificate: certificate.pem, trust })).toBe(true);
  }),

  'issues for no longer than was asked': onlyAtOnce(async (issuer) => {
    const { certificate } = await issued(issuer, await anIssuance({ lifetimeSeconds: HOUR }));
    expect(certificate.notAfter).toBeLessThanOrEqual(Date.now() + HOUR * 1000 + 1000);
    expect(certificate.notAfter).toBeGreaterThan(Date.now() + (HOUR / 2) * 1000);
  }),

  'gives every certificate a serial number that nobody guesses': onlyAtOnce(async (issuer) => {
    const all = [];
    for (let n = 0; n < 4; n += 1) all.push((await issued(issuer, await anIssuance())).certificate.serial);
    expect(new Set(all).size).toBe(4);
    for (const serial of all) expect(serial.length).toBeGreaterThanOrEqual(30);
  }),

  'refuses a request that is not signed with its own key, and says that nothing was issued': onlyAtOnce(
    async (issuer) => {
      const [asked, other] = [await anIssuance(), await anIssuance()];
      const der = tampered(asked.request.der);
      const error = await rejection(issuer.issue({ ...other, request: { ...asked.request, der, pem: pemOf(der) } }));
      expect(isKeyturnError(error)).toBe(true);
      expect(mayHaveHappened(error)).toBe(false);
      expect((await issuer.find(asked.request.spki)) ?? []).toEqual([]);
    },
  ),

  'issues nothing without a request, unless the partner makes keys': async (issuer) => {
    const answer = issuer.issue({ ...(await anIssuance()), request: null });
    if (issuer.can.keyMadeBy.includes('partner'))
      expect(await answer).toMatchObject({ kind: 'awaited', request: null });
    else await expect(answer).rejects.toMatchObject({ code: 'invalid_input' });
  },

  'finds what it has issued by its key, and nothing for another; or says that it can’t': async (issuer) => {
    const [asked, other] = [await anIssuance(), await anIssuance()];
    const answer = await issuer.issue(asked);
    const found = await issuer.find(asked.request.spki);
    if (!issuer.can.finds) {
      expect(found).toBeNull();
      return;
    }
    const { certificate } = answer as Issued;
    expect(found).toMatchObject([{ certificate: { fingerprint: certificate.fingerprint }, revoked: false }]);
    expect(await issuer.find(other.request.spki)).toEqual([]);
  },

  'finds what it has issued after it was opened anew': async (issuer, place) => {
    if (!issuer.can.finds) return;
    const asked = await anIssuance();
    await issuer.issue(asked);
    const again = issuerOver(await place.reopen(), issuer.kind);
    expect(await again.find(asked.request.spki)).toHaveLength(1);
  },

  'gives one certificate for one issuance, however often it is resumed, where it can tell': onlyAtOnce(
    async (issuer) => {
      const asked = await anIssuance();
      const askedAt = Date.now();
      const first = await issued(issuer, asked);
      const resumed = issuer.resume({ ...asked, askedAt });
      if (!issuer.can.finds && issuer.can.sameAnswerSeconds === 0) {
        await expect(resumed).rejects.toMatchObject({ code: 'issuer_refused' });
        return;
      }
      expect(await resumed).toMatchObject({ certificate: { fingerprint: first.certificate.fingerprint } });
    },
  ),

  'revokes what it has issued, also when it is asked again; or says whom to ask': async (issuer) => {
    const certificate = await somethingToRevoke(issuer);
    const request = { certificate, reason: 'superseded', byHand: BY_HAND } as const;
    const first = await issuer.revoke(request);
    expect(first.kind).toBe(issuer.can.revokes === 'interface' ? 'revoked' : 'asked');
    expect((await issuer.revoke(request)).kind).toBe(first.kind);
    if (first.kind === 'revoked') expect(first.reasonKept).toBe(issuer.can.keepsReason);
    else expect(first.steps.join('\n')).toContain(readPemCertificate(certificate).serial);
    if (first.kind === 'revoked' && issuer.can.finds) {
      expect(await issuer.find(readPemCertificate(certificate).spki)).toMatchObject([{ revoked: true }]);
    }
  },

  'puts what it has revoked on a list by which OpenSSL refuses it, and nothing else': async (issuer, place) => {
    if (!issuer.can.publishesRevocations) {
      expect(isPublishing(issuer.driver)).toBe(false);
      return;
    }
    const [dead, alive] = [await issued(issuer, await anIssuance()), await issued(issuer, await anIssuance())];
    await issuer.revoke({ certificate: dead.certificate.pem, reason: 'keyCompromise', byHand: BY_HAND });
    const list = await place.list();
    if (list === null) throw new Error('The harness gives no list of an issuer that publishes one.');
    const { crl, authority: trust } = list;
    expect(await isAcceptedClient({ certificate: dead.certificate.pem, trust, crl })).toBe(false);
    expect(await isAcceptedClient({ certificate: alive.certificate.pem, trust, crl })).toBe(true);
  },

  'revokes nothing that it has not issued': async (issuer) => {
    if (issuer.can.revokes === 'asking') return;
    const { TestCa } = await import('../../fakes/ca.ts');
    const foreign = await (await TestCa.create()).client();
    const request = { certificate: foreign.certificatePem, reason: 'superseded', byHand: BY_HAND } as const;
    await expect(issuer.revoke(request)).rejects.toMatchObject({ code: 'issuer_refused' });
  },

  'says that it would serve, at once': async (issuer) => {
    expect(await issuer.check()).toEqual({ ready: true, detail: '' });
  },

  'is described without a secret, in one line': async (issuer) => {
    expect(issuer.driver.description).toMatch(/^[ -~]{3,200}$/);
  },
} satisfies Record<string, Run>;

export type IssuerCase = keyof typeof issuerCases;

export async function runIssuerCase(name: IssuerCase, kind: IssuerKind, makePlace: () => Promise<IssuerPlace>) {
  const place = await makePlace();
  try {
    await issuerCases[name](issuerOver(place.driver, kind), place);
  } finally {
    await place.remove();
  }
}

export function issuerOver(driver: IssuerDriver, kind: IssuerKind): Issuer {
  return new Issuer('tested', kind, driver, { clock: systemClock });
}

/** Of an issuer that answers at once; of another the case holds without a word. */
function onlyAtOnce(run: Run): Run {
  return async (issuer, place) => {
    if (issuer.can.answers === 'at-once') await run(issuer, place);
  };
}

async function issued(issuer: Issuer, asked: IssueRequest): Promise<Issued> {
  const answer = await issuer.issue(asked);
  if (answer.kind === 'issued') return answer;
  throw new Error('The issuer says that it answers at once, and has somebody wait.');
}

async function somethingToRevoke(issuer: Issuer): Promise<string> {
  if (issuer.can.answers === 'at-once') return (await issued(issuer, await anIssuance())).certificate.pem;
  const { TestCa } = await import('../../fakes/ca.ts');
  return (await (await TestCa.create()).client()).certificatePem;
}

function codes(mismatches: Issued['mismatches'], ...wanted: string[]): string[] {
  return mismatches.map(({ code }) => code).filter((code) => wanted.includes(code));
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error: unknown) => error,
  );
}

/** The last octet belongs to the signature. */
function tampered(der: Buffer): Buffer {
  const copy = Buffer.from(der);
  copy[copy.length - 1]! ^= 1;
  return copy;
}

function pemOf(der: Buffer): string {
  const body = der
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trimEnd();
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
}

function readPemCertificate(pem: string): Certificate {
  const [certificate] = certificatesIn(pem);
  if (certificate === undefined) throw new Error('That is no certificate.');
  return certificate;
}
