import * as undici from 'undici';
import { describe, expect, test } from 'vitest';
import { TestCa } from '../../fakes/ca.ts';
import { promote, type Scene, startScene } from '../setup.ts';

const FORBIDDEN = { refusals: [{ kind: 'status', status: 403 }] } as const;

/** Begins a request that is never answered; the function ends it. */
const HANGING: Record<string, (scene: Scene) => () => Promise<unknown>> = {
  fetch: ({ credential, partner }) => {
    const abort = new AbortController();
    const running = credential.fetch(`${partner.url}/hang`, { signal: abort.signal }).catch(() => {});
    return () => {
      abort.abort();
      return running;
    };
  },
  undici: ({ credential, partner }) => {
    const abort = new AbortController();
    const how = { dispatcher: credential.dispatcher(undici), signal: abort.signal };
    const running = undici.request(`${partner.url}/hang`, how).catch(() => {});
    return () => {
      abort.abort();
      return running;
    };
  },
};

/** What the newest renewal said. */
function said({ keyturn }: Scene) {
  return keyturn.calls('/renew').at(-1)?.body;
}

async function swap(scene: Scene): Promise<void> {
  await promote(scene, 2);
  await scene.credential.renew();
}

describe.each(Object.entries(HANGING))('with a request of %s under way at the swap', (_, begin) => {
  test('the old version is said to be in use until it has ended; then the new one alone, without being asked', async () => {
    await using scene = await startScene();
    const end = begin(scene);
    await expect.poll(() => scene.partner.seen.length).toBe(1);
    await swap(scene);
    await scene.credential.renew();
    expect(said(scene)).toMatchObject({ inUse: [2, 1] });
    const before = scene.keyturn.calls('/renew').length;
    await end();
    await expect
      .poll(() => {
        scene.time.advance(500);
        return scene.keyturn.calls('/renew').length;
      })
      .toBeGreaterThan(before);
    expect(scene.keyturn.calls('/renew')[before]?.body).toMatchObject({ inUse: [2] });
  });
});

test('with nothing under way, it says a moment after the swap that the new version alone is in use', async () => {
  await using scene = await startScene();
  await swap(scene);
  expect(said(scene)).toMatchObject({ inUse: [1] });
  await scene.told.until('drained');
  scene.time.advance(500);
  await scene.told.until('renewed', 2);
  expect(said(scene)).toMatchObject({ inUse: [2] });
});

describe('requests that the certificate may have failed are reported, with when the first did', () => {
  test('a status that the profile lists', async () => {
    await using scene = await startScene({ lent: { refusals: [...FORBIDDEN.refusals] } });
    const { credential, partner, time } = scene;
    const dispatcher = credential.dispatcher(undici);
    await credential.fetch(`${partner.url}/status/403`);
    time.advance(5_000);
    await (await undici.request(`${partner.url}/status/403`, { dispatcher })).body.dump();
    await fetch(`${partner.url}/status/403`, { dispatcher: credential.dispatcher(undici) } as object);
    await credential.fetch(partner.url);
    await credential.renew();
    expect(said(scene)).toMatchObject({
      uses: [{ version: 1, host: partner.endpoint, requests: 4, failures: 3, failedAgo: 5 }],
    });
    await credential.renew();
    expect(said(scene)?.uses).toEqual([]);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a handshake that is refused, under %s', async (tls) => {
    const stranger = await (await TestCa.create('Stranger')).client({ commonName: 'v1' });
    await using scene = await startScene({ tls, lent: { issued: stranger } });
    const { credential, partner } = scene;
    const undicis = undici.request(partner.url, { dispatcher: credential.dispatcher(undici) });
    expect(await Promise.allSettled([credential.fetch(partner.url), undicis])).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    await credential.renew();
    expect(said(scene)?.uses).toMatchObject([{ version: 1, requests: 2, failures: 2 }]);
  });
});

test('a kept connection that was closed and a partner that is not there say nothing of the certificate', async () => {
  await using scene = await startScene();
  const { credential, partner } = scene;
  await (await credential.fetch(partner.url)).text();
  partner.server.close();
  partner.server.closeAllConnections();
  const codes: unknown[] = [];
  for (let at = 0; at < 3; at += 1) {
    await credential.fetch(partner.url).catch((error: { facts?: { original?: string } }) => {
      codes.push(error.facts?.original);
    });
  }
  expect(codes.at(-1)).toBe('ECONNREFUSED');
  await credential.renew();
  expect(said(scene)?.uses).toEqual([{ version: 1, host: partner.endpoint, requests: 4 }]);
});

test('a lease that it goes on without is named with the next grant, so that nobody waits for its end', async () => {
  await using scene = await startScene();
  const { keyturn, credential, time, told } = scene;
  const [first] = told.of('leased');
  keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
  await credential.renew();
  expect(told.codes('ended')).toEqual(['held']);
  keyturn.trouble = null;
  time.advance(1_000);
  await told.until('leased', 2);
  expect(keyturn.calls('/leases').filter(({ path }) => path.endsWith('/leases'))).toMatchObject([
    { body: { seen: 0 } },
    { body: { replaces: first?.['lease'] } },
  ]);
});
