import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { type ProbeOptions, type ProbeRefusal, type ProbeRequest, probe } from '../../../src/tls/probe/probe.ts';
import type { Identity } from '../../fakes/call.ts';
import { type Partner, type PartnerOptions, startPartner } from '../../fakes/partner/partner.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const LISTED: readonly ProbeRefusal[] = [{ kind: 'alert' }, { kind: 'close' }, { kind: 'status', status: 400 }];

let started: Partner[] = [];
afterEach(async () => {
  for (const partner of started) await partner.stop();
  started = [];
});

async function start(options?: PartnerOptions): Promise<Partner> {
  const partner = await startPartner(options);
  started.push(partner);
  return partner;
}

interface Asking extends Partial<Omit<ProbeOptions, 'request'>> {
  readonly request?: Partial<ProbeRequest>;
}

function ask(partner: Partner, identity: Identity, { request, ...more }: Asking = {}) {
  return probe({
    request: {
      host: new URL(partner.mtlsUrl).host,
      method: 'GET',
      path: '/banks/v1',
      headers: { 'lean-app-token': partner.appToken },
      body: null,
      expect: [200],
      timeoutMs: 5_000,
      ...request,
    },
    secureContext: createSecureContext({
      key: identity.keyPem,
      cert: identity.certificatePem + partner.chainPem,
      ca: partner.chainPem,
    }),
    refusals: LISTED,
    resolve: async () => ['127.0.0.1'],
    ...more,
  });
}

describe.each(VERSIONS)('over %s', (tls) => {
  test.each(['alert', 'status', 'close'] as const)(
    'a certificate is accepted, and refused by %s after its revocation',
    async (refuseBy) => {
      const partner = await start({ tls, switches: { refuseBy } });
      const identity = await partner.portal.generate();
      expect(await ask(partner, identity)).toMatchObject({ verdict: 'accepted', cause: 'status' });
      await partner.revoke(identity.serial);
      expect(await ask(partner, identity)).toMatchObject({ verdict: 'refused', cause: refuseBy });
    },
  );

  test('a bare close that the profile does not list says nothing', async () => {
    const partner = await start({ tls, switches: { refuseBy: 'close' } });
    const identity = await partner.portal.generate();
    await partner.revoke(identity.serial);
    const refusals: ProbeRefusal[] = [{ kind: 'alert' }];
    expect(await ask(partner, identity, { refusals })).toMatchObject({ verdict: 'inconclusive', cause: 'network' });
  });
});

describe('nothing follows from', () => {
  test.each([
    ['a slow answer', { delayMs: 2_000 }, { timeoutMs: 300 }, 'timeout'],
    ['a server error', { failWith: { status: 503 } }, {}, 'status_other'],
    ['a server certificate that we do not trust', { wrongChain: true }, {}, 'server_untrusted'],
    ['an answer that is neither expected nor a refusal', {}, { path: '/nowhere' }, 'status_other'],
  ])('%s', async (_what, switches, request, cause) => {
    const partner = await start({ switches });
    const answer = await ask(partner, await partner.portal.generate(), { request });
    expect(answer).toMatchObject({ verdict: 'inconclusive', cause });
  });

  test('a port where nobody listens, a name without an address, and one that does not resolve', async () => {
    const partner = await start();
    const identity = await partner.portal.generate();
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    expect(await ask(partner, identity, { request: { host: `localhost:${port}` } })).toMatchObject({
      verdict: 'inconclusive',
      cause: 'network',
    });
    const nowhere = { resolve: async () => [] };
    expect(await ask(partner, identity, nowhere)).toMatchObject({ verdict: 'inconclusive', cause: 'no_address' });
    const failing = { resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) };
    expect(await ask(partner, identity, failing)).toMatchObject({
      verdict: 'inconclusive',
      cause: 'no_address',
      detail: expect.stringContaining('ENOTFOUND'),
    });
  });

  test('a close before the handshake has ended: that is an outage', async () => {
    const partner = await start();
    const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => closing.once('listening', resolve));
    const host = `localhost:${(closing.address() as AddressInfo).port}`;
    const answer = await ask(partner, await partner.portal.generate(), { request: { host } });
    closing.close();
    expect(answer).toMatchObject({ verdict: 'inconclusive', cause: 'network' });
  });
});

describe('every address of a name is asked', () => {
  test('and all must agree', async () => {
    const partner = await start();
    const identity = await partner.portal.generate();
    const both = { resolve: async () => ['127.0.0.1', '127.0.0.1', '127.0.0.9'] };
    const answer = await ask(partner, identity, both);
    expect(answer).toMatchObject({ verdict: 'inconclusive', cause: 'addresses_differ' });
    expect(answer.addresses.map(({ address, verdict }) => [address, verdict])).toEqual([
      ['127.0.0.1', 'accepted'],
      ['127.0.0.9', 'inconclusive'],
    ]);
  });

  test('however many there are, up to a bound past which nothing is said', async () => {
    const partner = await start();
    const identity = await partner.portal.generate();
    const some = (count: number) => Array.from({ length: count }, (_, at) => `127.0.1.${at}`);
    const asked = await ask(partner, identity, { resolve: async () => some(40) });
    expect(asked.addresses.map(({ address }) => address)).toEqual(some(40).toSorted());
    const many = [...some(256), '127.0.0.1'];
    expect(await ask(partner, identity, { resolve: async () => many })).toMatchObject({
      verdict: 'inconclusive',
      cause: 'too_many_addresses',
      addresses: [],
    });
  });

  test('by the name, so that the server’s certificate is held against it', async () => {
    const partner = await start();
    const identity = await partner.portal.generate();
    const host = `elsewhere.example:${new URL(partner.mtlsUrl).port}`;
    expect(await ask(partner, identity, { request: { host } })).toMatchObject({ cause: 'server_untrusted' });
  });
});

test('each probe is a full handshake of its own: nothing is resumed', async () => {
  const partner = await start({ resumption: true });
  const identity = await partner.portal.generate();
  for (let count = 0; count < 3; count += 1) await ask(partner, identity);
  expect(partner.seen.map(({ resumed }) => resumed)).toEqual([false, false, false]);
});

describe('that a certificate is not registered is told only where the answer is listed for it', () => {
  const said = { status: 403, contains: 'PARTNER HAS trouble' };
  test.each([
    ['by its status', [{ status: 403 }], 'not_registered'],
    ['by its status and what its body says', [said], 'not_registered'],
    ['but not by another body', [{ status: 403, contains: 'unknown client' }], 'status_other'],
    ['nor by another status', [{ status: 401 }], 'status_other'],
  ])('%s', async (_name, unregistered, cause) => {
    const partner = await start({ switches: { failWith: { status: 403 } } });
    const identity = await partner.portal.generate();
    const verdict = cause === 'not_registered' ? 'refused' : 'inconclusive';
    expect(await ask(partner, identity, { request: { unregistered } })).toMatchObject({ verdict, cause });
  });
});
