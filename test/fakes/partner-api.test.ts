import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agentFor, call, failure } from './call.ts';
import { type Partner, startPartner } from './partner/partner.ts';
import type { GeneratedCertificate } from './partner/portal.ts';
import { Recent } from './partner/seen.ts';
import { QUIET } from './partner/switches.ts';

let partner: Partner;
let identity: GeneratedCertificate;
beforeEach(async () => {
  partner = await startPartner();
  identity = await partner.portal.generate({ key: 'ec-p256' });
});
afterEach(() => partner.stop());

function get(path: string, headers: Record<string, string> = { 'lean-app-token': partner.appToken }) {
  return call(partner.mtlsUrl + path, { ca: partner.chainPem, identity, headers });
}

describe.each(['mtlsUrl', 'tokenUrl'] as const)('the API at %s', (which) => {
  function send(path: string, more: { method?: string; body?: string; token?: string } = {}) {
    const { token = partner.appToken, ...rest } = more;
    const headers = token === '' ? {} : { 'lean-app-token': token };
    return call(partner[which] + path, { ca: partner.chainPem, identity, headers, ...rest });
  }

  test('makes a customer', async () => {
    const answer = await send('/customers/v1', { method: 'POST', body: '{"app_user_id":"u-1"}' });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toEqual({
      customer_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      app_user_id: 'u-1',
    });
  });

  test('lists banks, with a slash at the end or without', async () => {
    for (const path of ['/banks/v1', '/banks/v1/', '/banks/v1?country=SAU']) {
      const answer = await send(path);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toHaveLength(3);
    }
  });

  test.each([
    ['no token', '/banks/v1', { token: '' }, 401, 'UNAUTHORIZED'],
    ['another token', '/banks/v1', { token: 'guess' }, 401, 'UNAUTHORIZED'],
    ['another path', '/loans/v1', {}, 404, 'NOT_FOUND'],
    ['another method', '/banks/v1', { method: 'DELETE' }, 405, 'METHOD_NOT_ALLOWED'],
    ['no body', '/customers/v1', { method: 'POST' }, 400, 'BAD_REQUEST'],
    ['no JSON', '/customers/v1', { method: 'POST', body: '{' }, 400, 'BAD_REQUEST'],
    ['no app_user_id', '/customers/v1', { method: 'POST', body: '{"id":"x"}' }, 400, 'BAD_REQUEST'],
    ['an endless body', '/customers/v1', { method: 'POST', body: 'x'.repeat(70_000) }, 413, 'PAYLOAD_TOO_LARGE'],
  ])('answers %s with status and message in JSON', async (_what, path, more, status, name) => {
    const answer = await send(path, more);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ status: name, message: expect.stringMatching(/./) });
  });
});

test('the token-only API wants no client certificate and has no whoami', async () => {
  const headers = { 'lean-app-token': partner.appToken };
  const options = { ca: partner.chainPem, headers };
  expect((await call(`${partner.tokenUrl}/banks/v1`, options)).status).toBe(200);
  expect((await call(`${partner.tokenUrl}/whoami`, options)).status).toBe(404);
});

test('whoami and seen tell which certificate the server saw, and on which connection', async () => {
  const other = await partner.portal.generate({ app: 'other', key: 'rsa-2048' });
  const agent = agentFor({ ca: partner.chainPem, identity: other }, true);
  const first = JSON.parse((await get('/whoami', {})).body);
  const url = `${partner.mtlsUrl}/whoami`;
  const second = JSON.parse((await call(url, { ca: '', agent })).body);
  const third = JSON.parse((await call(url, { ca: '', agent })).body);
  agent.destroy();
  expect(first).toMatchObject({ serial: identity.serial, spki: identity.spki, subject: 'CN=my_app', resumed: false });
  expect(second).toMatchObject({ serial: other.serial, spki: other.spki, subject: 'CN=other', resumed: false });
  expect([second.socketId, third.socketId]).toEqual([first.socketId + 1, first.socketId + 1]);
  expect(partner.seen.map(({ serial, path, socketId }) => [serial, path, socketId])).toEqual([
    [identity.serial, '/whoami', 1],
    [other.serial, '/whoami', 2],
    [other.serial, '/whoami', 2],
  ]);
});

test('what was seen is bounded', () => {
  const recent = new Recent<number>(10);
  for (let i = 0; i < 1_000; i += 1) recent.add(i);
  expect(recent.all()).toEqual([990, 991, 992, 993, 994, 995, 996, 997, 998, 999]);
});

test('the list of banks is as large as asked', async () => {
  await using large = await startPartner({ banksBytes: 3_072 });
  const headers = { 'lean-app-token': large.appToken };
  const answer = await call(`${large.tokenUrl}/banks/v1`, { ca: large.chainPem, headers });
  expect(answer.body.length).toBeGreaterThanOrEqual(3_072);
  expect(answer.body.length).toBeLessThan(3_300);
});

test('failWith fails the next so many answers', async () => {
  await partner.set({ failWith: { status: 503, next: 2 } });
  const answers = [];
  for (let i = 0; i < 4; i += 1) answers.push(await get('/banks/v1'));
  expect(answers.map((answer) => answer.status)).toEqual([503, 503, 200, 200]);
  expect(JSON.parse(answers[0]!.body)).toEqual({ status: 'SERVICE_UNAVAILABLE', message: expect.any(String) });
});

test('failWith fails a share of the answers, evenly, until it is off', async () => {
  await partner.set({ failWith: { status: 502, share: 0.25 } });
  const statuses = [];
  for (let i = 0; i < 8; i += 1) statuses.push((await get('/whoami')).status);
  expect(statuses).toEqual([200, 200, 200, 502, 200, 200, 200, 502]);
  await partner.set({ failWith: { status: 500 } });
  expect((await get('/whoami')).status).toBe(500);
  await partner.set({ failWith: null });
  expect((await get('/whoami')).status).toBe(200);
});

test('delayMs holds answers back', async () => {
  await partner.set({ delayMs: 120 });
  const before = performance.now();
  expect((await get('/whoami')).status).toBe(200);
  expect(performance.now() - before).toBeGreaterThanOrEqual(119);
});

test('wrongChain shows new connections a certificate of an unknown CA, on both APIs', async () => {
  await partner.set({ wrongChain: true });
  expect((await failure(get('/whoami'))).code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  const token = call(`${partner.tokenUrl}/banks/v1`, { ca: partner.chainPem });
  expect((await failure(token)).code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  await partner.set({ wrongChain: false });
  expect((await get('/whoami')).status).toBe(200);
});

test('a change of one switch leaves the others as they are', async () => {
  await partner.set({ delayMs: 1 });
  await partner.set({ refuseBy: 'close' });
  expect(partner.switches).toEqual({ ...QUIET, delayMs: 1, refuseBy: 'close' });
});
