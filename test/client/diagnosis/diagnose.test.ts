import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createServer } from 'node:net';
import got from 'got';
import * as undici from 'undici';
import { describe, expect, test } from 'vitest';
import { type Credential, connect, type KeyturnError, keyturnErrorIn } from '../../../src/client/index.ts';
import type { Refusal } from '../../../src/client/wire.ts';
import { daysFromNow, TestCa } from '../../fakes/ca.ts';
import { CREDENTIAL, FakeKeyturn, type Lent, type LentIdentity, TOKEN } from '../../fakes/keyturn-server.ts';
import { type Partner, type PartnerOptions, startPartner } from '../../fakes/partner/partner.ts';
import { Told } from '../setup.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** What the portal hands out, in the form that the fake Keyturn lends. */
function issuedOf({ keyPem, certificatePem }: { keyPem: string; certificatePem: string }): LentIdentity {
  return { certificatePem, keyPem, privateKey: createPrivateKey(keyPem) };
}

interface Stage extends AsyncDisposable {
  readonly partner: Partner;
  readonly credential: Credential;
  readonly told: Told;
  readonly url: string;
}

interface StageOptions {
  readonly partner?: PartnerOptions;
  readonly refusals?: Refusal[];
  readonly lent?: Partial<Lent>;
  readonly identity?: (partner: Partner) => Promise<LentIdentity>;
}

async function stage({ partner: options, refusals = [], lent = {}, identity }: StageOptions): Promise<Stage> {
  const partner = await startPartner(options);
  const issued =
    identity === undefined ? issuedOf(await partner.portal.generate({ key: 'ec-p256' })) : await identity(partner);
  const endpoints = [new URL(partner.mtlsUrl).host];
  const trust = { mode: 'pinned', pem: partner.chainPem } as const;
  const keyturn = await FakeKeyturn.start({ issued, endpoints, trust, chain: partner.chainPem, refusals, ...lent });
  const told = new Told();
  const client = await connect({
    connection: keyturn.connection(),
    token: () => Buffer.from(TOKEN),
    on: told.listeners,
  });
  const credential = await client.credential(CREDENTIAL);
  const dispose = async (): Promise<void> => {
    await client.close();
    await keyturn.stop();
    await partner.stop();
  };
  return { partner, credential, told, url: `${partner.mtlsUrl}/whoami`, [Symbol.asyncDispose]: dispose };
}

async function failureOf(credential: Credential, url: string): Promise<KeyturnError> {
  const error = await credential.fetch(url).then(
    (response) => new Error(`answered ${response.status}`),
    (reason: unknown) => reason,
  );
  return keyturnErrorIn(error)!;
}

const LOCAL = {
  certificate_expired: async (partner: Partner) =>
    issuedOf(await partner.portal.generate({ key: 'ec-p256', notAfter: daysFromNow(-0.5) })),
  certificate_not_yet_valid: async (partner: Partner) =>
    issuedOf(await partner.portal.generate({ key: 'ec-p256', notBefore: daysFromNow(1) })),
  certificate_not_for_clients: async (partner: Partner) =>
    issuedOf(await partner.portal.generate({ key: 'ec-p256', usages: ['serverAuth'] })),
  chain_untrusted: async () => (await TestCa.create('Test Root CA')).client(),
} as const;

for (const tls of VERSIONS) {
  describe(`over ${tls}`, () => {
    for (const refuseBy of ['alert', 'close'] as const) {
      for (const [cause, identity] of Object.entries(LOCAL)) {
        test(`${cause} is found on our side when the partner refuses by ${refuseBy}`, async () => {
          await using on = await stage({ partner: { tls, switches: { refuseBy } }, identity });
          const error = await failureOf(on.credential, on.url);
          expect(error).toMatchObject({ code: 'partner_refused', facts: { cause } });
          expect(error.facts['original']).not.toBe(undefined);
          expect(on.told.codes('refused')).toContain('partner_refused');
        });
      }
    }

    test('an alert that says revoked is passed on by its name', async () => {
      await using on = await stage({ partner: { tls, switches: { refuseBy: 'alert' } } });
      expect((await on.credential.fetch(on.url)).status).toBe(200);
      await on.partner.revoke(on.partner.seen[0]!.serial);
      await expect
        .poll(async () => (await failureOf(on.credential, on.url))?.facts['alert'])
        .toBe('certificate_revoked');
      const error = await failureOf(on.credential, on.url);
      expect(error).toMatchObject({ code: 'partner_refused', facts: { cause: 'alert', alertNumber: 44 } });
      expect(error.message).toContain('certificate_revoked');
    });

    test('a bare close is a refusal only where the profile says so, and never called revoked', async () => {
      for (const refusals of [[], [{ kind: 'close' }]] as Refusal[][]) {
        await using on = await stage({ partner: { tls, switches: { refuseBy: 'close' } }, refusals });
        expect((await on.credential.fetch(on.url)).status).toBe(200);
        await on.partner.revoke(on.partner.seen[0]!.serial);
        const code = refusals.length === 0 ? 'partner_unreachable' : 'partner_refused';
        // The first call may still meet the kept connection being closed.
        await failureOf(on.credential, on.url);
        const error = await failureOf(on.credential, on.url);
        expect(error).toMatchObject({ code, facts: { host: new URL(on.url).host, version: 1 } });
        expect(error.message).not.toMatch(/revoked/);
      }
    });
  });
}

test('a listed HTTP status stays an answer for the application, and is told as a refusal', async () => {
  await using on = await stage({ refusals: [{ kind: 'status', status: 400 }] });
  await on.credential.fetch(on.url);
  await on.partner.revoke(on.partner.seen[0]!.serial);
  await expect.poll(async () => (await on.credential.fetch(on.url).catch(() => null))?.status).toBe(400);
  expect(on.told.of('refused').at(-1)).toEqual({
    credential: CREDENTIAL,
    version: 1,
    host: new URL(on.url).host,
    error: null,
    status: 400,
  });
});

test('a listed HTTP status that nobody reads does not hold the connection', async () => {
  await using on = await stage({ refusals: [{ kind: 'status', status: 404 }] });
  const agent = on.credential.mtlsAgent();
  const url = `${on.partner.mtlsUrl}/nothing-here`;
  for (let at = 0; at < 2; at += 1) await once(request(url, { agent }).end(), 'close');
  expect(new Set(on.partner.seen.map(({ socketId }) => socketId)).size).toBe(1);
});

test("the partner's own certificate is told apart from ours", async () => {
  await using on = await stage({ partner: { switches: { wrongChain: true } } });
  const error = await failureOf(on.credential, on.url);
  expect(error).toMatchObject({ code: 'server_untrusted', facts: { side: 'partner', cause: 'partner_certificate' } });
  expect(on.told.of('refused')).toEqual([]);
});

test('a port where nobody listens is unreachable, even when our certificate has expired', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const lent = { endpoints: [`127.0.0.1:${port}`] };
  await using on = await stage({ lent, identity: LOCAL.certificate_expired });
  const error = await failureOf(on.credential, `https://127.0.0.1:${port}`);
  expect(error).toMatchObject({ code: 'partner_unreachable', facts: { original: 'ECONNREFUSED', cause: 'network' } });
});

test('https keeps the code of Node for retries, and carries the explanation as its cause', async () => {
  await using on = await stage({ identity: LOCAL.certificate_expired, partner: { switches: { refuseBy: 'close' } } });
  const sent = request(on.url, { agent: on.credential.mtlsAgent() }).end();
  const [error] = await once(sent, 'error');
  expect(error).toMatchObject({ code: 'ECONNRESET', cause: { code: 'partner_refused' } });
  expect(error.message).toContain('our certificate expired');
});

test.each(VERSIONS)('undici is told of an alert by its name over %s', async (tls) => {
  await using on = await stage({ partner: { tls, switches: { refuseBy: 'alert' } } });
  const dispatcher = on.credential.dispatcher(undici);
  const failure = () => undici.request(on.url, { dispatcher }).then(({ body }) => body.dump(), keyturnErrorIn);
  await failure();
  await on.partner.revoke(on.partner.seen[0]!.serial);
  await expect.poll(failure).toMatchObject({ code: 'partner_refused', facts: { alert: 'certificate_revoked' } });
  expect(on.told.codes('refused')).toContain('partner_refused');
});

test('a port that speaks no TLS is told as that, in OpenSSL’s words', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using on = await stage({ lent: { endpoints: [`127.0.0.1:${port}`] } });
  const error = await failureOf(on.credential, `https://127.0.0.1:${port}`);
  expect(error).toMatchObject({ code: 'partner_unreachable', facts: { cause: 'tls' } });
  expect(error.message).toContain('wrong version number');
  server.close();
});

test('a host with several addresses is unreachable too, even when our certificate has expired', async () => {
  await using on = await stage({ identity: LOCAL.certificate_expired, lent: { endpoints: ['twice.example:443'] } });
  const lookup: LookupFunction = (_host, _options, found) =>
    found(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ]);
  const sent = request('https://twice.example', { agent: on.credential.mtlsAgent(), lookup }).end();
  const [error] = await once(sent, 'error');
  expect(error).toBeInstanceOf(AggregateError);
  expect(keyturnErrorIn(error)).toMatchObject({ code: 'partner_unreachable', facts: { cause: 'network' } });
});

test('a time limit of got’s is the application’s own', async () => {
  await using on = await stage({ partner: { switches: { delayMs: 60_000 } } });
  const agent = { https: on.credential.mtlsAgent() };
  const limits = { timeout: { request: 50 }, retry: { limit: 0 } };
  const error = await got(on.url, { agent, ...limits }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ETIMEDOUT' });
  expect(keyturnErrorIn(error)).toBe(null);
});

test('undici carries the explanation of a handshake that failed as the cause', async () => {
  const partner = { tls: 'TLSv1.2', switches: { refuseBy: 'alert' } } as const;
  await using on = await stage({ identity: LOCAL.certificate_expired, partner });
  const dispatcher = on.credential.dispatcher(undici);
  const error = await undici.request(on.url, { dispatcher }).catch((reason: unknown) => reason);
  expect(keyturnErrorIn(error)).toMatchObject({ code: 'partner_refused', facts: { cause: 'certificate_expired' } });
});
