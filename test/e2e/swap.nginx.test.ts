import { expect, test } from 'vitest';
import { type Issued, TestCa } from '../fakes/ca.ts';
import { parseNginxAnswer, startNginx } from '../fakes/nginx.ts';
import { load } from './swap/load.ts';
import { startSwapScene } from './swap/scene.ts';

test('1,000 requests to nginx during a swap: none fails, none goes out on the old certificate afterwards', async () => {
  const ca = await TestCa.create();
  const server = await ca.server();
  await using nginx = await startNginx({ serverCert: server, clientCaPem: ca.chainPem });
  const [first, second] = [await ca.client(), await ca.client()];
  const files = (issued: Issued) => ({
    'all.pem': Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem),
  });
  await using scene = await startSwapScene({ mtlsUrl: nginx.url, tokenUrl: nginx.url }, files(first));
  const options = {
    url: `${nginx.url}/banks/v1`,
    agent: scene.credential.mtlsAgent(),
    headers: {},
    total: 1_000,
    inFlight: 16,
    newConnections: false,
  };
  const control = await load(options);
  expect(control.filter(({ status }) => status !== 200)).toEqual([]);
  const calls = await load({ ...options, at: { call: 100, act: () => scene.swap(files(second)) } });
  expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
  const after = await load({ ...options, total: 32 });
  const serials = (from: typeof calls) => new Set(from.map(({ body }) => parseNginxAnswer(body).serial));
  expect(serials(calls)).toEqual(new Set([first.serial, second.serial]));
  expect(serials(after)).toEqual(new Set([second.serial]));
}, 60_000);
