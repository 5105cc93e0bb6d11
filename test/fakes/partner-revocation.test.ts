import { once } from 'node:events';
import type { Agent } from 'node:https';
import { describe, expect, test } from 'vitest';
import { type Answer, agentFor, call, type Identity } from './call.ts';
import { PartnerAuthority } from './partner/authority.ts';
import { type Partner, startPartner } from './partner/partner.ts';
import { serverContext } from './partner/tls/context.ts';
import { MtlsListener } from './partner/tls/mtls-listener.ts';
import { folderWith, run } from './programs.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

interface WhoamiOptions {
  readonly identity?: Identity;
  readonly agent?: Agent;
  readonly session?: Buffer;
}

function whoami(partner: Partner, options: WhoamiOptions): Promise<Answer> {
  return call(`${partner.mtlsUrl}/whoami`, { ca: partner.chainPem, ...options });
}

function serialIn(answer: Answer): unknown {
  return JSON.parse(answer.body).serial;
}

/** An agent with one idle connection of `identity`, and that connection. */
async function keepAlive(partner: Partner, identity: Identity) {
  const agent = agentFor({ ca: partner.chainPem, identity }, true);
  expect((await whoami(partner, { agent })).status).toBe(200);
  const [socket] = Object.values(agent.freeSockets).flat();
  return { agent, socket: socket! };
}

describe.each(VERSIONS)('over %s', (tls) => {
  test.each(['rsa-2048', 'ec-p256'] as const)('a revoked %s certificate is dead at once, also live', async (key) => {
    await using partner = await startPartner({ tls });
    const [doomed, bystander] = [await partner.portal.generate({ key }), await partner.portal.generate({ key })];
    const dying = await keepAlive(partner, doomed);
    const living = await keepAlive(partner, bystander);
    await Promise.all([once(dying.socket, 'close'), partner.revoke(doomed.serial)]);
    expect((await whoami(partner, { agent: dying.agent })).status).toBe(400);
    expect((await whoami(partner, { identity: doomed })).status).toBe(400);
    expect((await whoami(partner, { agent: living.agent })).status).toBe(200);
    expect(living.socket.destroyed).toBe(false);
    for (const { agent } of [dying, living]) agent.destroy();
  });

  test('a connection behind the gate is cut as well', async () => {
    await using partner = await startPartner({ tls, switches: { refuseBy: 'alert' } });
    const doomed = await partner.portal.generate();
    const { agent, socket } = await keepAlive(partner, doomed);
    await Promise.all([once(socket, 'close'), partner.revoke(doomed.serial)]);
    agent.destroy();
  });

  test('a request that is under way when its certificate is revoked is never answered', async () => {
    await using partner = await startPartner({ tls, switches: { delayMs: 5_000 } });
    const doomed = await partner.portal.generate();
    const answer = whoami(partner, { identity: doomed });
    const ended = expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
    await untilSeen(partner, doomed.serial);
    await partner.revoke(doomed.serial);
    await ended;
  });

  test('a session carries no identity: not with another certificate, not with none, not after revocation', async () => {
    await using partner = await startPartner({ tls });
    const [alice, bob] = [await partner.portal.generate(), await partner.portal.generate()];
    const { session } = await whoami(partner, { identity: alice });
    const offer = session === null ? {} : { session };
    const again = await whoami(partner, { identity: alice, ...offer });
    expect([again.resumed, serialIn(again)]).toEqual([false, alice.serial]);
    const other = await whoami(partner, { identity: bob, ...offer });
    expect([other.resumed, serialIn(other)]).toEqual([false, bob.serial]);
    expect((await whoami(partner, offer)).status).toBe(400);
    await partner.revoke(alice.serial);
    expect((await whoami(partner, { identity: alice, ...offer })).status).toBe(400);
    expect(partner.seen.filter(({ resumed }) => resumed)).toEqual([]);
  });

  test('with resumption left on the same session is resumed, so the test above can fail', async () => {
    await using partner = await startPartner({ tls, resumption: true });
    const alice = await partner.portal.generate();
    const { session } = await whoami(partner, { identity: alice });
    const again = await whoami(partner, { identity: alice, session: session! });
    expect([again.resumed, serialIn(again)]).toEqual([true, alice.serial]);
    expect(partner.seen.map(({ resumed }) => resumed)).toEqual([false, true]);
  });

  test('openssl s_client gets no session to resume, by ticket or by id', async () => {
    await using partner = await startPartner({ tls });
    const made = await partner.portal.generate();
    await using folder = await folderWith({ 'both.pem': made.keyPem + made.certificatePem });
    const target = ['-connect', new URL(partner.mtlsUrl).host, '-cert', folder.path('both.pem')];
    const request = 'GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    const first = await run('openssl', ['s_client', '-ign_eof', '-sess_out', folder.path('s'), ...target], request);
    expect(first.stdout).toContain(made.serial);
    const second = await run('openssl', ['s_client', '-ign_eof', '-sess_in', folder.path('s'), ...target], request);
    expect(second.stdout).toContain(made.serial);
    expect(second.stdout).toContain('New, TLSv1');
    expect(second.stdout).not.toContain('Reused, ');
    expect(partner.seen.map(({ resumed }) => resumed)).toEqual([false, false]);
  });
});

test('onlyNewest: a new certificate kills the old one of its app at once, live connections too', async () => {
  await using partner = await startPartner({ switches: { onlyNewest: true } });
  const other = await partner.portal.generate({ app: 'other', key: 'ec-p256' });
  const old = await partner.portal.generate({ key: 'ec-p256' });
  const { agent, socket } = await keepAlive(partner, old);
  const closed = once(socket, 'close');
  const newest = await partner.portal.generate({ key: 'ec-p256' });
  await closed;
  const statuses = [];
  for (const identity of [old, newest, other]) statuses.push((await whoami(partner, { identity })).status);
  expect(statuses).toEqual([400, 200, 200]);
  agent.destroy();
});

test('onlyNewest, switched on, kills what was live until then', async () => {
  await using partner = await startPartner();
  const made = [];
  for (let i = 0; i < 3; i += 1) made.push(await partner.portal.generate({ key: 'ec-p256' }));
  await partner.set({ onlyNewest: true });
  const statuses = [];
  for (const identity of made) statuses.push((await whoami(partner, { identity })).status);
  expect(statuses).toEqual([400, 400, 200]);
});

test('keepAcceptingRevoked: a revoked certificate works, live too, until the switch is off again', async () => {
  await using partner = await startPartner({ switches: { keepAcceptingRevoked: true } });
  const made = await partner.portal.generate();
  const { agent, socket } = await keepAlive(partner, made);
  await partner.revoke(made.serial);
  expect((await whoami(partner, { agent })).status).toBe(200);
  expect((await whoami(partner, { identity: made })).status).toBe(200);
  expect(socket.destroyed).toBe(false);
  await Promise.all([once(socket, 'close'), partner.set({ keepAcceptingRevoked: false })]);
  expect((await whoami(partner, { identity: made })).status).toBe(400);
  agent.destroy();
});

test('the published CRL lists the revoked serial, and openssl verifies by it', async () => {
  await using partner = await startPartner();
  const [revoked, good] = [await partner.portal.generate(), await partner.portal.generate()];
  await partner.revoke(revoked.serial);
  const crls = (await partner.crls()).join('');
  await using folder = await folderWith({
    'crl.pem': crls,
    'ca.pem': partner.chainPem,
    revoked: revoked.certificatePem,
    good: good.certificatePem,
  });
  const verify = (name: string) => {
    const trust = ['-CAfile', folder.path('ca.pem'), '-CRLfile', folder.path('crl.pem'), '-crl_check_all'];
    return run('openssl', ['verify', ...trust, folder.path(name)]);
  };
  expect((await verify('good')).exitCode).toBe(0);
  expect((await verify('revoked')).stderr).toContain('certificate revoked');
});

test('an unknown serial is not revoked, and revoking twice is revoking once', async () => {
  await using partner = await startPartner();
  const made = await partner.portal.generate({ key: 'ec-p256' });
  expect(await partner.revoke('00')).toBe(false);
  expect(await partner.revoke(made.serial)).toBe(true);
  expect(await partner.revoke(made.serial.toUpperCase())).toBe(true);
  expect((await whoami(partner, { identity: made })).status).toBe(400);
});

test('the guard kills by fingerprint where no CRL is in force, on new connections and on live ones', async () => {
  const authority = await PartnerAuthority.create('sandbox', 'ec-p256');
  const [dead, dying] = [await authority.issueClient(), await authority.issueClient()];
  const revoked = new Set([dead.fingerprint]);
  const context = { ...(await authority.issueServer('ec-p256')), ca: authority.chainPem, resumption: false };
  const listener = new MtlsListener({
    context: serverContext(context),
    refuseBy: () => 'status',
    isDead: (fingerprint) => revoked.has(fingerprint),
    onRefused: () => {},
    onRequest: (_request, response) => void response.end(),
  });
  const url = `https://localhost:${await listener.listen()}`;
  expect((await call(url, { ca: authority.chainPem, identity: dead })).status).toBe(400);
  const agent = agentFor({ ca: authority.chainPem, identity: dying }, true);
  expect((await call(url, { ca: '', agent })).status).toBe(200);
  revoked.add(dying.fingerprint);
  await expect(call(url, { ca: '', agent })).rejects.toMatchObject({ code: 'ECONNRESET' });
  agent.destroy();
  await listener.stop();
});

/** Settled when a request of this certificate has reached the API. */
async function untilSeen(partner: Partner, serial: string): Promise<void> {
  while (!partner.seen.some((seen) => seen.serial === serial)) await new Promise(setImmediate);
}
