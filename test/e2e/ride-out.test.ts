import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConnectionFile, type Credential, connect, type KeyturnClient } from '../../src/client/index.ts';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { type Instead, ReverseProxy } from './freeze/reverse-proxy.ts';
import { ServiceProcess } from './freeze/service-process.ts';
import { TestInstance } from './instance.ts';
import { ServerProcess } from './kill/server-process.ts';

const LEASE_MS = 5_000;

let partner: Partner;
let keyturn: TestInstance;
let token: string;

beforeAll(async () => {
  partner = await startPartner();
  keyturn = await TestInstance.start({ leases: { default: `${LEASE_MS / 1_000}s`, maximum: '1h' } });
  await keyturn.meet(partner);
  const { zip } = await partner.portal.generate({ key: 'ec-p256' });
  await keyturn.import('lean/sandbox', { 'cert.zip': zip, 'chain.zip': await partner.portal.chain() });
  token = await keyturn.grant('service:payments', 'service');
});

afterAll(async () => {
  await keyturn.stop();
  await partner.stop();
});

const problem = (status: number, code: string) => JSON.stringify({ type: 'about:blank', status, code });

/** What stands before servers answers so: by itself, or in a document that resembles ours. */
const INSTEAD: Readonly<Record<string, Instead>> = {
  '401 with a page': { status: 401, type: 'text/html', body: '<h1>Sign in</h1>' },
  '403 with a page': { status: 403, type: 'text/html', body: '<h1>Forbidden</h1>' },
  '403 with JSON': { status: 403, type: 'application/json', body: problem(403, 'permission_denied') },
  '403 with a problem of its own': {
    status: 403,
    type: 'application/problem+json',
    body: problem(403, 'waf_rule_7'),
  },
  '500 with nothing': { status: 500, type: 'text/plain', body: '' },
  '502 with a verdict in it': { status: 502, type: 'application/problem+json', body: problem(502, 'held') },
  '200 with a page': { status: 200, type: 'text/html', body: '<h1>Welcome</h1>' },
  '302 to elsewhere': { status: 302, type: 'text/html', body: '' },
};

/** A client in this process whose only way to Keyturn is the proxy. */
async function through(proxy: ReverseProxy, alarms: string[], ended: string[]): Promise<[KeyturnClient, Credential]> {
  const file = JSON.parse(await readFile(join(keyturn.home, 'admin', 'connection.json'), 'utf8')) as ConnectionFile;
  const client = await connect({
    connection: { ...file, servers: [proxy.url] },
    token: () => Buffer.from(token),
    // Answers are counted here, and each is to a renewal.
    watch: false,
    on: { alarm: ({ error }) => alarms.push(error.code), ended: ({ reason }) => ended.push(reason.code) },
  });
  return [client, await client.credential('lean/sandbox', { ttlSeconds: 600 })];
}

test('a proxy that answers in the server’s place ends no lease: the client alarms and goes on', async () => {
  await using proxy = await ReverseProxy.before(keyturn);
  const [alarms, ended] = [[] as string[], [] as string[]];
  const [client, credential] = await through(proxy, alarms, ended);
  for (const [name, instead] of Object.entries(INSTEAD)) {
    proxy.instead = instead;
    await credential.renew();
    const { status } = await credential.fetch(`${partner.mtlsUrl}/banks/v1`);
    expect([name, status, credential.status().state]).toEqual([name, 401, 'live']);
  }
  expect(proxy.answered).toBe(Object.keys(INSTEAD).length);
  expect(alarms).toEqual(Object.keys(INSTEAD).map(() => 'server_unreachable'));
  const before = credential.expiresAt?.getTime() ?? 0;
  proxy.instead = null;
  await credential.renew();
  expect(credential.expiresAt?.getTime()).toBeGreaterThan(before);
  expect([alarms.length, ended]).toEqual([Object.keys(INSTEAD).length, []]);
  await client.close();
});

test('the control: the server’s own verdict, passed on by the same proxy, ends the lease at once', async () => {
  await using proxy = await ReverseProxy.before(keyturn);
  const ended: string[] = [];
  const [client, credential] = await through(proxy, [], ended);
  const json = { target: 'version', subject: 'lean/sandbox', version: 1, reason: 'a control' };
  const hold = await keyturn.call('POST', '/v1/holds', { json });
  await credential.renew();
  expect(ended).toEqual(['held']);
  await expect(credential.fetch(`${partner.mtlsUrl}/banks/v1`)).rejects.toMatchObject({ code: 'held' });
  const bob = await keyturn.grant('person:bob', 'approver');
  for (const each of [keyturn.admin, bob]) {
    const thawed = await keyturn.call('POST', `/v1/holds/${String(hold.body['hold'])}/thaw`, { token: each });
    expect(thawed.status).toBe(200);
  }
  await client.close();
});

test('a killed server is ridden out with alarms to the lease’s end; then calls fail closed, until it is back', async () => {
  await keyturn.serving.stop();
  const server = new ServerProcess();
  await server.serve(keyturn.home);
  await using service = await ServiceProcess.start(keyturn.home, token, partner.mtlsUrl);
  await server.kill();
  const failed = await service.next(({ kind, ok }) => kind === 'call' && ok === false);
  const { told } = service;
  const lent = told.findLast(({ expiresAt }) => expiresAt !== undefined);
  const end = Date.parse(lent?.expiresAt ?? '');

  expect(failed.code).toBe('lease_expired');
  const lastGood = told.findLast(({ ok }) => ok === true)?.at ?? 0;
  expect(lastGood).toBeLessThanOrEqual(end);
  expect(lastGood).toBeGreaterThan(end - 1_500);
  expect(failed.at).toBeGreaterThanOrEqual(end);
  const before = told.slice(told.indexOf(lent!), told.indexOf(failed));
  expect(before.filter(({ kind }) => kind === 'call').every(({ ok }) => ok)).toBe(true);
  const alarms = before.filter(({ kind }) => kind === 'alarm');
  expect(new Set(alarms.map(({ code }) => code))).toEqual(new Set(['server_unreachable']));
  expect(before.at(-1)).toMatchObject({ kind: 'ended', code: 'lease_expired' });
  expect(partner.seen.filter(({ at }) => at > end)).toEqual([]);

  const again = new ServerProcess();
  await again.serve(keyturn.home);
  await service.next(({ ok }) => ok === true, told.indexOf(failed));
  expect(told.filter(({ kind }) => kind === 'leased')).toHaveLength(2);
  await again.kill();
});
