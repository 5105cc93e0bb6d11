import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { DriverIssued, FoundCertificate, IssueRequest, IssuerDriver } from '../../src/issuer/driver.ts';
import { issuerRefused, issuerUnavailable, mayHaveHappened } from '../../src/issuer/failure.ts';
import { Issuer, type IssuerVerb } from '../../src/issuer/issuer.ts';
import { signAuthority, signClient } from '../../src/issuer/local/sign.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { newPrivateKey } from '../../src/x509/request/new-key.ts';
import { readRequest } from '../../src/x509/request/read-request.ts';
import { anIssuance } from '../conformance/issuers/issuer.ts';
import { stubDriver } from './stub-driver.ts';

const { key } = await newPrivateKey('EC P-256');
const authority = await signAuthority(key, 'Stub CA', Date.now());

function over(verbs: Partial<IssuerDriver>, more: Partial<ConstructorParameters<typeof Issuer>[3]> = {}): Issuer {
  return new Issuer('stub', 'local', stubDriver(verbs), { clock: systemClock, ...more });
}

async function signed(asked: IssueRequest): Promise<DriverIssued> {
  const request = await readRequest(asked.request?.der ?? Buffer.alloc(0));
  const term = { now: Date.now(), seconds: 600, listUrl: null };
  return { kind: 'issued', certificate: await signClient({ key, authority }, request, term), chain: authority };
}

async function found(asked: IssueRequest, revoked = false): Promise<FoundCertificate> {
  const { certificate, chain } = await signed(asked);
  const [block] = readPem(Buffer.from(certificate));
  return { certificate: readCertificate(block?.der ?? Buffer.alloc(0)), chain, revoked };
}

const lost = async (): Promise<never> => {
  throw issuerUnavailable('The answer was lost.', { certain: false });
};

test('an answer is read and judged', async () => {
  const asked = await anIssuance();
  const answer = await over({ issue: signed }).issue(asked);
  expect(answer).toMatchObject({ kind: 'issued', mismatches: [], certificate: { spki: asked.request.spki } });
});

test('a certificate for another key is given with what is wrong, so that it can be revoked', async () => {
  const [asked, other] = [await anIssuance(), await anIssuance()];
  const answer = await over({ issue: () => signed(other) }).issue(asked);
  expect(answer).toMatchObject({ kind: 'issued', mismatches: [{ code: 'key_mismatch' }] });
});

test('a lost answer is looked for by the key, and found it is the answer', async () => {
  const asked = await anIssuance();
  const standing = await found(asked);
  const answer = await over({ issue: lost, find: async () => [standing] }).issue(asked);
  expect(answer).toMatchObject({ kind: 'issued', certificate: { fingerprint: standing.certificate.fingerprint } });
});

test.each<[string, Partial<IssuerDriver>]>([
  ['nothing is found', { find: async () => [] }],
  ['the issuer can’t look', { find: async () => null }],
  ['looking fails too', { find: lost }],
])('a lost answer stays in doubt when %s, and is not asked for again', async (_case, verbs) => {
  let asked = 0;
  const issue = () => {
    asked += 1;
    return lost();
  };
  const error = await over({ issue, ...verbs })
    .issue(await anIssuance())
    .catch((each: unknown) => each);
  expect(error).toMatchObject({ code: 'issuer_unavailable', message: 'The answer was lost.' });
  expect(mayHaveHappened(error)).toBe(true);
  expect(asked).toBe(1);
});

test.each([
  ['a boundary that does not end as one', '-----BEGIN CERTIFICATE---\nAAAA\n'],
  ['UTF-16', Buffer.from('-----BEGIN CERTIFICATE-----', 'utf16le').toString('latin1')],
  ['no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
])('an answer that can’t be read was given all the same: %s', async (_what, certificate) => {
  const asked = await anIssuance();
  const issue = async (): Promise<DriverIssued> => ({ kind: 'issued', certificate, chain: '' });
  const error = await over({ issue, find: async () => [] })
    .issue(asked)
    .catch((each: unknown) => each);
  expect(mayHaveHappened(error)).toBe(true);
  const standing = await found(asked);
  expect(await over({ issue, find: async () => [standing] }).issue(asked)).toMatchObject({ mismatches: [] });
});

test('a revoked certificate of a key is no answer', async () => {
  const asked = await anIssuance();
  const dead = await found(asked, true);
  await expect(over({ issue: lost, find: async () => [dead] }).issue(asked)).rejects.toThrow('The answer was lost.');
});

test('a refusal is certain, and nobody looks', async () => {
  const issue = async () => {
    throw issuerRefused('No.', 'Ask otherwise.');
  };
  const error = await over({ issue })
    .issue(await anIssuance())
    .catch((each: unknown) => each);
  expect(error).toMatchObject({ code: 'issuer_refused', facts: { certain: true } });
  expect(mayHaveHappened(error)).toBe(false);
});

test('what hangs is ended; it may have happened, and its driver is told', async () => {
  let told: AbortSignal | null = null;
  const issue = (_request: IssueRequest, signal: AbortSignal) => {
    told = signal;
    return new Promise<never>(() => {});
  };
  const error = await over({ issue, find: async () => [] }, { timeoutMs: 30 })
    .issue(await anIssuance())
    .catch((each: unknown) => each);
  expect(error).toMatchObject({ code: 'issuer_unavailable', facts: { certain: false } });
  expect(told).toMatchObject({ aborted: true });
});

test('whoever waits may leave; before it was asked nothing happened', async () => {
  const asked = await anIssuance();
  const leaving = new AbortController();
  const issue = () => new Promise<never>(() => {});
  const answer = over({ issue, find: async () => [] }).issue(asked, leaving.signal);
  setImmediate(() => leaving.abort());
  await expect(answer).rejects.toMatchObject({ facts: { certain: false } });
  await expect(over({}).issue(asked, AbortSignal.abort())).rejects.toMatchObject({ facts: { certain: true } });
});

test('what a library throws is not quoted', async () => {
  const issue = async () => {
    throw new Error('request with X-Vault-Token hvs.secret failed');
  };
  const error = await over({ issue, find: async () => [] })
    .issue(await anIssuance())
    .catch((each: unknown) => each);
  expect(error).toMatchObject({ code: 'issuer_unavailable' });
  expect(error).not.toHaveProperty('cause');
  expect(JSON.stringify([error, String(error)])).not.toContain('hvs.');
});

test('resumed, it looks first and asks only when there is nothing', async () => {
  const asked = await anIssuance();
  const standing = await found(asked);
  expect(await over({ find: async () => [standing] }).resume(asked)).toMatchObject({ kind: 'issued' });
  expect(await over({ find: async () => [], issue: signed }).resume(asked)).toMatchObject({ kind: 'issued' });
  await expect(over({ find: lost }).resume(asked)).rejects.toMatchObject({ code: 'issuer_unavailable' });
  await expect(over({ find: async () => null }).resume(asked)).rejects.toMatchObject({ code: 'issuer_refused' });
});

test.each([{ id: 'with space' }, { id: '' }, { lifetimeSeconds: 0 }, { lifetimeSeconds: 1.5 }, { request: null }])(
  'what nobody can ask for reaches no driver: %o',
  async (more) => {
    const asked = { ...(await anIssuance()), ...more };
    await expect(over({}).issue(asked)).rejects.toMatchObject({ code: 'invalid_input' });
  },
);

test('a name that is no key is not looked for, and no certificate is not revoked', async () => {
  await expect(over({}).find('ABC')).rejects.toMatchObject({ code: 'invalid_input' });
  const { byHand } = await anIssuance();
  await expect(over({}).revoke({ certificate: '', reason: 'superseded', byHand })).rejects.toMatchObject({
    code: 'invalid_input',
  });
});

test('its check tells a fault and never rejects', async () => {
  expect(await over({ health: lost }).check()).toEqual({ ready: false, detail: 'The answer was lost.' });
});

test('every verb is told to whoever observes', async () => {
  const seen: [IssuerVerb, boolean][] = [];
  const observe = (verb: IssuerVerb, ok: boolean) => seen.push([verb, ok]);
  const issuer = over(
    { issue: lost, find: async () => [], health: async () => ({ ready: true, detail: '' }) },
    { observe },
  );
  await issuer.check();
  await issuer.issue(await anIssuance()).catch(() => undefined);
  expect(seen).toEqual([
    ['check', true],
    ['find', true],
    ['issue', false],
  ]);
});
