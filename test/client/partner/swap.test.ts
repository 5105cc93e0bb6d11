import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as undici from 'undici';
import { expect, test } from 'vitest';
import { promote, type Scene, startScene } from '../setup.ts';

const CONNECTIONS = 16;

async function get(url: string, options: RequestOptions): Promise<string> {
  const sent = request(url, options).end();
  const [response] = await once(sent, 'response');
  return JSON.parse(await text(response)).commonName;
}

/** 1,000 requests from 16 callers; `midway` runs when a fifth of them have begun, so
 * that a slow swap leaves most of them for after it. Gives what each saw, in order. */
async function thousand(call: () => Promise<string>, midway: () => Promise<void>): Promise<string[]> {
  const saw: string[] = [];
  let started = 0;
  const swapping: Promise<void>[] = [];
  const caller = async (): Promise<void> => {
    while (started < 1_000) {
      started += 1;
      if (started === 200) swapping.push(midway());
      saw.push(await call());
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, caller));
  await Promise.all(swapping);
  return saw;
}

async function swap(scene: Scene): Promise<void> {
  await promote(scene, 2);
  await scene.credential.renew();
}

const WAYS: Record<string, (scene: Scene) => () => Promise<string>> = {
  'mtlsAgent()': (scene) => {
    const agent = scene.credential.mtlsAgent();
    return () => get(scene.partner.url, { agent });
  },
  fetch: (scene) => async () => {
    const response = await scene.credential.fetch(scene.partner.url);
    return ((await response.json()) as { commonName: string }).commonName;
  },
  'dispatcher()': (scene) => {
    const dispatcher = scene.credential.dispatcher(undici);
    return async () => {
      const { body } = await undici.request(scene.partner.url, { dispatcher });
      return ((await body.json()) as { commonName: string }).commonName;
    };
  },
};

for (const [name, way] of Object.entries(WAYS)) {
  test(`a swap during 1,000 requests over ${name} fails none, and after it none shows the old certificate`, async () => {
    await using scene = await startScene();
    let settled = 0;
    const saw = await thousand(way(scene), async () => {
      await swap(scene);
      // What was sent before the swap may still finish on the old version; everything after it may not.
      settled = scene.partner.seen.length;
    });
    expect(saw).toHaveLength(1_000);
    await scene.told.until('drained');
    const late = scene.partner.seen.slice(settled + CONNECTIONS);
    expect(late.length).toBeGreaterThan(300);
    expect(new Set(late.map(({ commonName }) => commonName))).toEqual(new Set(['v2']));
    expect(new Set(saw)).toEqual(new Set(['v1', 'v2']));
    expect(scene.told.of('drained')).toEqual([{ credential: 'lean/sandbox', version: 1, cut: 0 }]);
  });
}

test('the control: destroying the old agent instead of draining it fails requests', async () => {
  await using scene = await startScene();
  const { certificatePem: cert, keyPem: key } = scene.keyturn.lent.issued;
  const pem = { key, cert, ca: scene.ca.certificatePem, keepAlive: true };
  let agent = new Agent(pem);
  let failed = 0;
  const call = (): Promise<string> => get(scene.partner.url, { agent }).catch(() => String(++failed));
  await thousand(call, async () => {
    agent.destroy();
    agent = new Agent(pem);
  });
  agent.destroy();
  expect(failed).toBeGreaterThan(0);
});

test('a request that runs longer than the drain may is cut at its bound, and counted', async () => {
  await using scene = await startScene({ credential: { drainMs: 10_000 } });
  const running = scene.credential.fetch(`${scene.partner.url}/hang`).catch((error: { code: string }) => error.code);
  await expect.poll(() => scene.partner.seen.length).toBe(1);
  await swap(scene);
  scene.time.advance(9_999);
  expect(scene.told.of('drained')).toEqual([]);
  scene.time.advance(1);
  expect(await running).toBe('lease_superseded');
  await scene.told.until('drained');
  expect(scene.told.of('drained')).toEqual([{ credential: 'lean/sandbox', version: 1, cut: 1 }]);
});

test('an answer that the bound of the drain, or a freeze, breaks off says why when its body is read', async () => {
  for (const [bound, code] of [
    [10_000, 'lease_superseded'],
    [0, 'held'],
  ] as const) {
    await using scene = await startScene({ credential: { drainMs: 10_000 } });
    const body = new Readable({ read() {} });
    body.push('begun');
    const response = await scene.credential.fetch(`${scene.partner.url}/echo`, { method: 'POST', body });
    await swap(scene);
    scene.time.advance(bound);
    scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
    await scene.credential.renew();
    await expect(response.text()).rejects.toMatchObject({ name: 'KeyturnError', code });
  }
});

test('connections are kept and used again, and an idle one is closed at the swap', async () => {
  await using scene = await startScene();
  for (let at = 0; at < 5; at += 1) await (await scene.credential.fetch(scene.partner.url)).text();
  const [first] = scene.partner.seen;
  expect(new Set(scene.partner.seen.map(({ socket }) => socket)).size).toBe(1);
  await swap(scene);
  await expect.poll(() => first?.socket.destroyed).toBe(true);
});
