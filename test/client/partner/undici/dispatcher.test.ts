import * as undici8 from 'undici';
import * as undici7 from 'undici7';
import { describe, expect, test } from 'vitest';
import { keyturnErrorIn } from '../../../../src/client/index.ts';
import { promote, type Scene, startScene } from '../../setup.ts';

/** The two share what is used here; their types differ in details. */
const MODULES = { 'undici 8': undici8, 'undici 7': undici7 as unknown as typeof undici8 };

/** A request that the partner has and does not answer; settled with what it fails with. */
async function hanging(scene: Scene, undici: typeof undici8): Promise<{ readonly failed: Promise<unknown> }> {
  const dispatcher = scene.credential.dispatcher(undici);
  const failed = undici.request(`${scene.partner.url}/hang`, { dispatcher }).catch((error: unknown) => error);
  await expect.poll(() => scene.partner.seen.length).toBe(1);
  return { failed };
}

async function swap(scene: Scene): Promise<void> {
  await promote(scene, 2);
  await scene.credential.renew();
}

describe.each(Object.entries(MODULES))('%s', (_name, undici) => {
  test('a connection closed before its first answer is named as the refusal that the profile lists', async () => {
    await using scene = await startScene({ lent: { refusals: [{ kind: 'close' }] } });
    const dispatcher = scene.credential.dispatcher(undici);
    const hang = async (): Promise<unknown> => {
      const calls = scene.partner.seen.length;
      const failed = undici.request(`${scene.partner.url}/hang`, { dispatcher }).catch((error: unknown) => error);
      await expect.poll(() => scene.partner.seen.length).toBe(calls + 1);
      scene.partner.seen.at(-1)?.socket.destroy();
      return failed;
    };
    expect(keyturnErrorIn(await hang())).toMatchObject({ code: 'partner_refused', facts: { cause: 'close' } });
    await (await undici.request(scene.partner.url, { dispatcher })).body.text();
    await new Promise((resolve) => setImmediate(resolve));
    expect(keyturnErrorIn(await hang())).toMatchObject({ code: 'partner_unreachable' });
    expect(scene.partner.seen[2]?.socket).toBe(scene.partner.seen[1]?.socket);
  });

  test('after the end of the lease undici requests fail with the reason, the running one too', async () => {
    await using scene = await startScene();
    const dispatcher = scene.credential.dispatcher(undici);
    const running = undici.request(`${scene.partner.url}/hang`, { dispatcher }).catch((error: unknown) => error);
    await expect.poll(() => scene.partner.seen.length).toBe(1);
    scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
    await scene.credential.renew();
    expect(keyturnErrorIn(await running)?.code).toBe('held');
    await expect(undici.request(scene.partner.url, { dispatcher })).rejects.toMatchObject({ code: 'held' });
    const byFetch = await undici.fetch(scene.partner.url, { dispatcher }).catch((error: unknown) => error);
    expect(keyturnErrorIn(byFetch)?.code).toBe('held');
  });

  test('a handshake names the host of the lease, whatever the Host header says', async () => {
    await using scene = await startScene();
    const dispatcher = scene.credential.dispatcher(undici);
    for (const headers of [{}, { host: 'elsewhere.example' }]) {
      await (await undici.request(scene.partner.url, { dispatcher, headers, reset: true })).body.text();
    }
    expect(scene.partner.seen.map(({ socket }) => socket.servername)).toEqual(['localhost', 'localhost']);
  });

  test('what outlives the drain is cut by its bound, and counts as in use no more', async () => {
    await using scene = await startScene({ credential: { drainMs: 60_000 } });
    const { failed } = await hanging(scene, undici);
    await swap(scene);
    scene.time.advance(59_999);
    await scene.credential.renew();
    expect(scene.told.of('drained')).toEqual([]);
    expect(scene.keyturn.calls('/renew').at(-1)?.body?.inUse).toEqual([2, 1]);
    scene.time.advance(1);
    expect(keyturnErrorIn(await failed)?.code).toBe('lease_superseded');
    await scene.told.until('drained');
    expect(scene.told.of('drained')).toEqual([{ credential: 'lean/sandbox', version: 1, cut: 1 }]);
    await expect
      .poll(async () => {
        await scene.credential.renew();
        return scene.keyturn.calls('/renew').at(-1)?.body?.inUse;
      })
      .toEqual([2]);
  });

  test('a freeze cuts what still runs on the version before', async () => {
    await using scene = await startScene();
    const { failed } = await hanging(scene, undici);
    await swap(scene);
    scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
    await scene.credential.renew();
    expect(keyturnErrorIn(await failed)?.code).toBe('held');
    await expect.poll(() => scene.partner.seen[0]?.socket.destroyed).toBe(true);
  });

  test('a connection that was upgraded counts as in use, and a freeze cuts it too', async () => {
    await using scene = await startScene();
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    scene.partner.server.on('upgrade', (_request, socket) => socket.write(upgrade));
    const dispatcher = scene.credential.dispatcher(undici);
    const { socket } = await undici.upgrade(scene.partner.url, { dispatcher });
    socket.on('error', () => {});
    await swap(scene);
    await scene.credential.renew();
    expect(scene.keyturn.calls('/renew').at(-1)?.body?.inUse).toEqual([2, 1]);
    scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
    await scene.credential.renew();
    expect(socket.destroyed).toBe(true);
  });

  test('what the application did wrong, or waited too long for, is no fault of the partner', async () => {
    await using scene = await startScene();
    const dispatcher = scene.credential.dispatcher(undici);
    const { url } = scene.partner;
    const wrong = [
      undici.request(`${url}/hang`, { dispatcher, headersTimeout: 50 }),
      undici.request(url, { dispatcher, method: 'NO METHOD' as 'GET' }),
      undici.request(url, { dispatcher, method: 'POST', headers: { 'content-length': '9' }, body: 'short' }),
    ];
    for (const failed of await Promise.allSettled(wrong)) {
      if (failed.status === 'fulfilled') throw new Error('answered');
      expect(failed.reason.code).toMatch(/^UND_ERR_/);
      expect(keyturnErrorIn(failed.reason)).toBe(null);
    }
  });

  test('one dispatcher for each undici, and an application that closes it closes nothing of ours', async () => {
    await using scene = await startScene();
    const dispatcher = scene.credential.dispatcher(undici);
    expect(scene.credential.dispatcher(undici)).toBe(dispatcher);
    expect(dispatcher).toBeInstanceOf(undici.Dispatcher);
    await dispatcher.close();
    expect((await undici.request(scene.partner.url, { dispatcher })).statusCode).toBe(200);
  });
});
