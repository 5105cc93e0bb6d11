import { once } from 'node:events';
import { expect, test } from 'vitest';
import { type Issued, TestCa } from '../fakes/ca.ts';
import { parseNginxAnswer, startNginx } from '../fakes/nginx.ts';
import { load } from './swap/load.ts';
import { startSwapScene } from './swap/scene.ts';

test.each([
  ['over kept connections', false],
  ['over a new connection each', true],
])(
  'nginx sees a promotion that the client finds by itself, %s',
  async (_, newConnections) => {
    const ca = await TestCa.create();
    const [first, second] = [await ca.client(), await ca.client()];
    await using nginx = await startNginx({ serverCert: await ca.server(), clientCaPem: ca.chainPem });
    const files = ({ keyPem, certificatePem }: Issued) => ({
      'all.pem': Buffer.from(keyPem + certificatePem + ca.chainPem),
    });
    const leases = { default: '4s', maximum: '1h' };
    const endpoints = { mtlsUrl: nginx.url, tokenUrl: nginx.url };
    await using scene = await startSwapScene(endpoints, files(first), { leases });
    let drainedAt = Number.POSITIVE_INFINITY;
    const calls = await load({
      url: `${nginx.url}/banks/v1`,
      agent: scene.credential.mtlsAgent(),
      headers: {},
      total: 1_000,
      inFlight: 16,
      newConnections,
      at: {
        call: 100,
        act: async () => {
          await scene.keyturn.import('lean/sandbox', files(second));
          const drained = once(scene.credential, 'drained');
          await scene.keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/versions/2/promote');
          await drained;
          drainedAt = performance.now();
        },
      },
    });
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
    const serials = (from: typeof calls) => new Set(from.map(({ body }) => parseNginxAnswer(body).serial));
    expect(serials(calls)).toEqual(new Set([first.serial, second.serial]));
    const late = calls.filter(({ started }) => started > drainedAt);
    expect(late.length).toBeGreaterThan(16);
    expect(serials(late)).toEqual(new Set([second.serial]));
  },
  60_000,
);
