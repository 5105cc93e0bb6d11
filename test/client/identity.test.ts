import { createPrivateKey, hash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { buildMaterial } from '../../src/client/lease/material.ts';
import { instant, TimeLeft } from '../../src/client/lease/time-left.ts';
import { Identity } from '../../src/client/partner/identity.ts';
import { MtlsAgent } from '../../src/client/partner/mtls-agent.ts';
import { systemScheduler } from '../../src/client/scheduler.ts';
import type { LeaseAnswer } from '../../src/client/wire.ts';
import { systemClock } from '../../src/core/clock.ts';
import { isKeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { TestCa } from '../fakes/ca.ts';
import { agentFor, call } from '../fakes/call.ts';
import { parseNginxAnswer, startNginx } from '../fakes/nginx.ts';
import { startPartner } from '../fakes/partner/partner.ts';

const KEYS = ['rsa-2048', 'ec-p256', 'rsa-2048', 'ec-p256'] as const;
const REQUESTS = 64;

type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

interface Certified {
  readonly serial: string;
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** A real mTLS server that tells which certificate it saw, with clients that it knows. */
interface Ground {
  readonly url: string;
  readonly chainPem: string;
  readonly clients: readonly Certified[];
  read(body: string): { readonly serial: unknown; readonly resumed: unknown };
  [Symbol.asyncDispose](): Promise<void>;
}

const GROUNDS = {
  async Node(tls: TlsVersion, resumption: boolean): Promise<Ground> {
    const partner = await startPartner({ tls, resumption });
    const clients = await Promise.all(KEYS.map((key) => partner.portal.generate({ key })));
    return {
      url: `${partner.mtlsUrl}/whoami`,
      chainPem: partner.chainPem,
      clients,
      read: (body) => JSON.parse(body),
      [Symbol.asyncDispose]: () => partner.stop(),
    };
  },
  async nginx(tls: TlsVersion, resumption: boolean): Promise<Ground> {
    const ca = await TestCa.create();
    const nginx = await startNginx({
      serverCert: await ca.server(),
      clientCaPem: ca.certificatePem,
      tls: [tls],
      resumption,
    });
    const clients = await Promise.all(KEYS.map((key) => ca.client({ key })));
    return {
      url: `${nginx.url}/`,
      chainPem: ca.certificatePem,
      clients,
      read: parseNginxAnswer,
      [Symbol.asyncDispose]: () => nginx.stop(),
    };
  },
};

/** Our agent for one credential, as a lease with this certificate makes it. */
function leased(ground: Ground) {
  const watcher = { expired() {}, drained() {}, released() {}, refused() {}, failed() {} };
  const options = { credential: 'lean/sandbox', scheduler: systemScheduler, now: Date.now, drainMs: 1_000 };
  const identity = new Identity(options, watcher);
  const agent = new MtlsAgent(identity);
  const take = (client: Certified, version: number) => {
    const answer = leaseAnswer(ground, client, version);
    const der = createPrivateKey(client.keyPem).export({ format: 'der', type: 'pkcs8' });
    identity.take(answer, buildMaterial(answer, SecretBytes.own(der)), aMinute());
  };
  return { agent, take, identity };
}

function leaseAnswer(ground: Ground, client: Certified, version: number): LeaseAnswer {
  const spki = new X509Certificate(client.certificatePem).publicKey.export({ format: 'der', type: 'spki' });
  return {
    lease: 'lease',
    credential: 'lean/sandbox',
    version,
    spki: hash('sha256', spki, 'hex'),
    secondsLeft: 60,
    expiresAt: '2026-11-23T10:00:00.000Z',
    certificate: client.certificatePem,
    chain: ground.chainPem,
    trust: { mode: 'pinned', pem: ground.chainPem },
    endpoints: [new URL(ground.url).host],
    refusals: [],
    sealed: null,
    receipt: { index: 0, entry: '', inclusion: [], checkpoint: '' },
  };
}

function aMinute(): TimeLeft {
  return new TimeLeft(systemClock, instant(systemClock), 60);
}

/** Every certificate of `ground` behind an agent of its own, all in this process. */
function leaseAll(ground: Ground): MtlsAgent[] {
  return ground.clients.map((client) => {
    const { agent, take } = leased(ground);
    take(client, 1);
    return agent;
  });
}

async function ask(ground: Ground, agent: MtlsAgent, more: RequestOptions = {}) {
  const sent = request(ground.url, { agent, ...more });
  const sessions: Buffer[] = [];
  sent.on('socket', (socket) => socket.on('session', (session: Buffer) => sessions.push(session)));
  sent.end();
  const [response] = await once(sent, 'response');
  return { ...ground.read(await text(response)), sessions };
}

const CELLS = (['Node', 'nginx'] as const).flatMap((server) =>
  (['TLSv1.2', 'TLSv1.3'] as const).map((tls) => [server, tls] as const),
);

describe.each(CELLS)('towards %s over %s', (server, tls) => {
  test.each([
    ['keep-alive', false],
    ['keep-alive', true],
    ['close', false],
    ['close', true],
  ] as const)('%s, resumption at the server %s: each request is seen as who was asked', async (connection, on) => {
    await using ground = await GROUNDS[server](tls, on);
    const agents = leaseAll(ground);
    const order = Array.from({ length: REQUESTS }, (_, i) => (i * 7 + (i >> 3)) % KEYS.length);
    // Half one after another, where connections and sessions are reused; half at once, where they race.
    const answers = [];
    for (const i of order.slice(REQUESTS / 2)) answers.push(await ask(ground, agents[i]!, { headers: { connection } }));
    const racing = order.slice(0, REQUESTS / 2).map((i) => ask(ground, agents[i]!, { headers: { connection } }));
    answers.push(...(await Promise.all(racing)));
    const wanted = [...order.slice(REQUESTS / 2), ...order.slice(0, REQUESTS / 2)];
    expect(answers.map(({ serial }) => serial)).toEqual(wanted.map((i) => ground.clients[i]!.serial));
    expect(answers.filter(({ resumed }) => resumed)).toEqual([]);
    for (const agent of agents) agent.destroy();
  });

  test('a session of ours is worth nothing to another certificate, to none, or to ourselves', async () => {
    await using ground = await GROUNDS[server](tls, false);
    const [alice, bob] = ground.clients;
    const { agent, take } = leased(ground);
    take(alice!, 1);
    const { sessions } = await ask(ground, agent);
    const offers = sessions.length === 0 ? [{}] : sessions.map((session) => ({ session }));
    for (const offer of offers) {
      for (const identity of [alice!, bob!]) {
        const answer = await call(ground.url, { ca: ground.chainPem, identity, ...offer });
        expect(ground.read(answer.body)).toMatchObject({ serial: identity.serial, resumed: false });
      }
      expect((await call(ground.url, { ca: ground.chainPem, ...offer })).status).toBe(400);
    }
    agent.destroy();
  });

  test('after a swap every new request goes out as the new version, never on a connection of the old', async () => {
    await using ground = await GROUNDS[server](tls, true);
    const { agent, take } = leased(ground);
    const seen = [];
    for (const [i, client] of ground.clients.entries()) {
      take(client, i + 1);
      for (let n = 0; n < 5; n += 1) seen.push(await ask(ground, agent));
    }
    expect(seen.map(({ serial }) => serial)).toEqual(ground.clients.flatMap(({ serial }) => Array(5).fill(serial)));
    expect(seen.filter(({ resumed }) => resumed)).toEqual([]);
    agent.destroy();
  });
});

test('no option of a single request can put another identity, or a session, on our agent', async () => {
  await using ground = await GROUNDS.Node('TLSv1.3', true);
  const [alice, bob] = ground.clients;
  const { agent, take } = leased(ground);
  take(alice!, 1);
  const stranger = agentFor({ ca: ground.chainPem, identity: bob! });
  const { session } = await call(ground.url, { ca: ground.chainPem, agent: stranger });
  stranger.destroy();
  const { keyPem: key, certificatePem: cert } = bob!;
  const shapes: (RequestOptions & ConnectionOptions)[] = [
    { secureContext: createSecureContext({ key, cert }) },
    { key: Buffer.from(key), cert: Buffer.from(cert) },
    { key: [{ pem: key }], cert },
    { pfx: Buffer.from('') },
    { pfx: [{ buf: Buffer.from('') }] },
    { session: session! },
    { ca: ground.chainPem },
    { rejectUnauthorized: false },
  ];
  for (const shape of shapes) {
    for (const connection of ['keep-alive', 'close']) {
      const refused = await ask(ground, agent, { ...shape, headers: { connection } }).catch((error: unknown) => error);
      expect([Object.keys(shape), isKeyturnError(refused, 'tls_option_refused')]).toEqual([Object.keys(shape), true]);
    }
  }
  expect((await ask(ground, agent)).serial).toBe(alice!.serial);
  agent.destroy();
});
