import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { serve } from '../../src/compose/serve.ts';
import { edit, TestInstance } from '../e2e/instance.ts';
import { TestCa } from '../fakes/ca.ts';
import { madeHome } from './home.ts';

let instance: TestInstance;

beforeAll(async () => {
  instance = await TestInstance.start();
});

afterAll(() => instance.stop());

test('a restart keeps credentials, companions, holds, tokens and the log', async () => {
  const ca = await TestCa.create();
  const { keyPem, certificatePem } = await ca.client();
  await instance.import('lean/sandbox', { 'all.pem': Buffer.from(keyPem + certificatePem + ca.certificatePem) });
  await instance.call('PUT', '/v1/credentials/lean%2Fsandbox/companions/app-token', {
    raw: Buffer.from('a companion secret'),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const payments = await instance.grant('service:payments', 'service');
  const hold = { target: 'principal', subject: 'service:reports', reason: 'test' };
  await instance.call('POST', '/v1/holds', { json: hold });
  const state = async () => ({
    credential: (await instance.call('GET', '/v1/credentials/lean%2Fsandbox')).body,
    holds: (await instance.call('GET', '/v1/holds')).body,
    tokens: (await instance.call('GET', '/v1/tokens')).body,
    entries: (await instance.call('GET', '/v1/audit/entries?limit=1000')).body,
  });
  const before = await state();

  await instance.restart();

  expect(await state()).toEqual(before);
  expect(before.credential).toMatchObject({ current: 1, companions: [{ name: 'app-token' }] });
  const whoami = await instance.call('GET', '/v1/whoami', { token: payments });
  expect(whoami.body).toMatchObject({ principal: 'service:payments' });
});

test('a profile that was changed while no server ran is on the log', async () => {
  const loads = async () => (await instance.entries('policy.loaded')).map(({ data }) => data as Record<string, string>);
  const before = await loads();
  await instance.restart();
  expect(await loads()).toEqual(before);
  await edit(join(instance.home, 'policies', 'partners', 'lean.yaml'), (profile) => ({
    ...profile,
    title: 'Lean, moved',
  }));
  await instance.restart();
  const after = await loads();
  expect(after).toHaveLength(before.length + 1);
  const [last] = after.slice(-1);
  expect(last?.['digest']).toBe(last?.['before']);
  expect(last?.['profilesBefore']).toBe(before.at(-1)?.['profiles']);
  expect(last?.['profiles']).toMatch(/^[0-9a-f]{64}$/);
  expect(last?.['profiles']).not.toBe(last?.['profilesBefore']);
});

test('a port that is in use is told with its number, and a second start with a free one succeeds', async () => {
  await using home = await madeHome();
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const config = join(home.path, 'keyturn.yaml');
  await edit(config, (content) => ({ ...content, listen: { ...(content['listen'] as object), port } }));
  const refusal = {
    code: 'config_invalid',
    message: expect.stringContaining(`${port}`),
    fix: expect.stringContaining('listen.port'),
  };
  await expect(serve(await loadConfig(home.path))).rejects.toMatchObject(refusal);

  await new Promise((resolve) => other.close(resolve));
  await (await serve(await loadConfig(home.path))).stop();
});

test('a socket that another server listens on is not taken from it', async () => {
  await using home = await madeHome();
  await edit(join(home.path, 'keyturn.yaml'), (content) => ({
    ...content,
    socket: { path: join(instance.home, 'run', 'keyturn.sock') },
  }));
  await expect(serve(await loadConfig(home.path))).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('Another process listens'),
  });
});
