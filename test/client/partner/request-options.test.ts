import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import axios from 'axios';
import got from 'got';
import * as undici from 'undici';
import { expect, test } from 'vitest';
import { keyturnErrorIn } from '../../../src/client/index.ts';
import { startScene } from '../setup.ts';

async function outcome(url: string, options: RequestOptions): Promise<unknown> {
  const sent = request(url, options).end();
  try {
    const [response] = await once(sent, 'response');
    response.resume();
    return response.statusCode;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('a request with TLS options of its own is refused, whatever they are', async () => {
  await using scene = await startScene();
  const agent = scene.credential.mtlsAgent();
  const { keyPem, certificatePem } = await scene.ca.client();
  const options: Record<string, unknown>[] = [
    { key: keyPem },
    { cert: certificatePem },
    { key: [{ pem: keyPem }], cert: certificatePem },
    { pfx: Buffer.from('x') },
    { ca: scene.ca.certificatePem },
    { secureContext: createSecureContext() },
    { rejectUnauthorized: false },
    { rejectUnauthorized: null },
    { rejectUnauthorized: 0 },
    { checkServerIdentity: () => undefined },
    { servername: 'elsewhere.example' },
    { ciphers: 'ALL' },
    { minVersion: 'TLSv1' },
    { maxVersion: 'TLSv1.2' },
    { session: Buffer.from('x') },
    { socketPath: '/tmp/x' },
    { ALPNProtocols: ['h2'] },
    { secureOptions: 0 },
  ];
  for (const option of options) {
    expect([option, await outcome(scene.partner.url, { agent, ...option })]).toEqual([option, 'tls_option_refused']);
  }
  expect(scene.partner.seen).toEqual([]);
});

test('options that ask for what happens anyway are no trouble', async () => {
  await using scene = await startScene();
  const harmless = { key: undefined, ca: null, rejectUnauthorized: true, checkServerIdentity, servername: 'localhost' };
  const options = { agent: scene.credential.mtlsAgent(), ...harmless } as unknown as RequestOptions;
  expect(await outcome(scene.partner.url, { ...options, family: 4, timeout: 5_000 })).toBe(200);
});

test('hosts outside the lease are refused before anything is sent, in every spelling', async () => {
  await using scene = await startScene();
  const agent = scene.credential.mtlsAgent();
  const port = Number(scene.partner.endpoint.split(':')[1]);
  const hosts = ['127.0.0.1', 'localhost.', 'LOCALHOST', 'localhost%2e', '[::1]'];
  for (const hostname of hosts) {
    const options = { agent, hostname, port } as RequestOptions;
    const sent = request(options).end();
    expect([hostname, await once(sent, 'response').catch((error: { code: string }) => error.code)]).toEqual([
      hostname,
      'host_not_allowed',
    ]);
  }
  expect(await outcome('https://localhost:1', { agent })).toBe('host_not_allowed');
  const dispatcher = scene.credential.dispatcher(undici);
  for (const url of ['https://localhost:1', `http://${scene.partner.endpoint}`, 'https://example.test']) {
    await expect(undici.request(url, { dispatcher })).rejects.toMatchObject({ code: 'host_not_allowed' });
    await expect(scene.credential.fetch(url)).rejects.toMatchObject({ code: 'host_not_allowed' });
  }
  expect(scene.partner.seen).toEqual([]);
});

test('a Host header of another name changes neither whom we ask to prove itself nor which connection is used', async () => {
  await using scene = await startScene();
  const agent = scene.credential.mtlsAgent();
  const dispatcher = scene.credential.dispatcher(undici);
  expect(await outcome(scene.partner.url, { agent, headers: { host: 'elsewhere.example' } })).toBe(200);
  const headers = { host: 'elsewhere.example' };
  expect((await undici.request(scene.partner.url, { dispatcher, headers })).statusCode).toBe(200);
});

test('NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment does not switch the check of the partner off', async () => {
  await using scene = await startScene({ lent: { trust: { mode: 'system', pem: '' } } });
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  try {
    await expect(scene.credential.fetch(scene.partner.url)).rejects.toMatchObject({ code: 'server_untrusted' });
    const dispatcher = scene.credential.dispatcher(undici);
    const failed = await undici.request(scene.partner.url, { dispatcher }).catch(keyturnErrorIn);
    expect(failed).toMatchObject({ code: 'server_untrusted', facts: { side: 'partner' } });
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  }
});

test('axios and got carry the reason of a refusal, and of an end', async () => {
  await using scene = await startScene();
  const httpsAgent = scene.credential.mtlsAgent();
  const byAxios = await axios.get('https://example.test', { httpsAgent }).catch((error: unknown) => error);
  expect(byAxios).toMatchObject({ code: 'host_not_allowed' });
  expect(keyturnErrorIn(byAxios)?.code).toBe('host_not_allowed');
  scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
  await scene.credential.renew();
  const byGot = await got(scene.partner.url, { agent: { https: httpsAgent } }).catch((error: unknown) => error);
  expect(byGot).toMatchObject({ code: 'held' });
  expect(keyturnErrorIn(byGot)).toMatchObject({ code: 'held', facts: { request: 'request_1' } });
});

test('a request that nobody listens to for errors still fails loudly', async () => {
  await using scene = await startScene();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', resolve);
  try {
    request(`${scene.partner.url}/hang`, { agent: scene.credential.mtlsAgent() }).end();
    await expect.poll(() => scene.partner.seen.length).toBe(1);
    scene.partner.seen[0]?.socket.destroy();
    expect(await promise).toMatchObject({ code: 'ECONNRESET', cause: { code: 'partner_unreachable' } });
  } finally {
    for (const listener of others) process.on('uncaughtException', listener);
  }
});

test('the agent is an https.Agent, and the same one before and after a swap', async () => {
  await using scene = await startScene();
  expect(scene.credential.mtlsAgent()).toBeInstanceOf(Agent);
});
