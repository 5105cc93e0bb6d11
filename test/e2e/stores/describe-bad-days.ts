import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Searcher, told } from '../canary/search/searcher.ts';
import type { Reply } from '../instance.ts';
import type { RemoteStore, StoreMood } from './remote-store.ts';
import { FAR, NEAR, StoreScene } from './scene.ts';

const UNAVAILABLE = { status: 503, body: { code: 'keystore_unavailable' } };

/** One story: what comes before is what the next test finds. */
export function describeBadDays(startRemote: () => Promise<RemoteStore>): void {
  let scene: StoreScene;
  let kind: string;
  let far: Reply;

  beforeAll(async () => {
    scene = await StoreScene.start(await startRemote());
    kind = scene.remote.kind;
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  const readyz = () => scene.keyturn.call('GET', '/readyz', { token: null });
  const circuit = async () =>
    /keyturn_store_circuit\{store="\w+",state="([\w-]+)"\} 1\n/.exec(await scene.metrics())?.[1];

  test('the server starts while a store elsewhere is down, and says which one', async () => {
    const { status, body } = await readyz();
    expect(status).toBe(200);
    expect(body['checks']).toContainEqual(expect.objectContaining({ name: `store ${kind}`, ready: false }));
    expect(body['checks']).toContainEqual(expect.objectContaining({ name: 'store file', ready: true }));
    expect(await scene.metrics()).toContain(`keyturn_store_up{store="${kind}"} 0\n`);
  });

  test('what needs only the own store works meanwhile: import, lease, renewal, freeze and audit', async () => {
    expect((await scene.import(NEAR)).reply).toMatchObject({ status: 201, body: { state: 'current' } });
    const lease = await scene.lease(NEAR);
    expect(lease).toMatchObject({ status: 201 });
    expect(await scene.renew(lease)).toMatchObject({ status: 200, body: { sealed: null } });
    await expectFreezes(scene, 'service:gone');
    expect(await scene.keyturn.entries('lease.granted')).toHaveLength(1);
  });

  test('an import into the store that is down is refused, and abandoned when the store comes back without it', async () => {
    const { reply, again } = await scene.import(FAR, kind);
    expect(reply).toMatchObject(UNAVAILABLE);
    expect(await scene.versions(FAR)).toBe('1 pending');
    await scene.chores();
    expect(await scene.versions(FAR)).toBe('1 pending');
    expect(await again()).toMatchObject({ status: 409, body: { code: 'conflict' } });

    await scene.remote.set('well');
    await untilWell(scene, kind);
    expect(await scene.versions(FAR)).toBe('1 abandoned');
    expect(await again()).toMatchObject({ status: 201, body: { version: 2, state: 'current' } });
    far = await scene.lease(FAR);
    expect(far).toMatchObject({ status: 201, body: { version: 2 } });
  });

  test('an import whose answer was lost is finished when the store shows that it holds the key, and nothing else', async () => {
    await scene.remote.set('lost after a change');
    expect((await scene.import(FAR, kind)).reply).toMatchObject(UNAVAILABLE);
    expect(await scene.versions(FAR)).toBe('1 abandoned, 2 current, 3 pending');
    const held = ['versions/lean/production/2', 'versions/lean/production/3'];
    expect((await scene.remote.records()).sort()).toEqual(held);
    await scene.chores();
    expect(await scene.versions(FAR)).toBe('1 abandoned, 2 current, 3 pending');

    await scene.remote.set('well');
    await untilWell(scene, kind);
    expect(await scene.versions(FAR)).toBe('1 abandoned, 2 current, 3 staged');
    expect((await scene.remote.records()).sort()).toEqual(held);
  });

  describe.each<StoreMood>(['down', 'hanging'])('later the store is %s', (mood) => {
    test('what was lent a moment ago is lent on, from the cache that a freeze empties', async () => {
      expect(await scene.lease(FAR)).toMatchObject({ status: 201 });
      await scene.remote.set(mood);
      expect(await scene.lease(FAR)).toMatchObject({ status: 201, body: { version: 2 } });
      await expectFreezes(scene, `service:cached-${mood}`);
    });

    test('its other keys are not lent; the keys of the own store, live leases and freezes are as always', async () => {
      const refused = scene.lease(FAR);
      await expectAlive(scene);
      expect(await scene.lease(NEAR)).toMatchObject({ status: 201 });
      expect(await scene.renew(far)).toMatchObject({ status: 200, body: { version: 2, sealed: null } });
      await expectFreezes(scene, `service:${mood}`);
      expect(await refused).toMatchObject(UNAVAILABLE);
    });

    test('its circuit opens, after which it is refused at once, and closes when the store is well again', async () => {
      for (let asked = 0; asked < 6; asked += 1) expect(await scene.lease(FAR)).toMatchObject(UNAVAILABLE);
      expect(await circuit()).toMatch(/^(?:open|half-open)$/);
      await scene.remote.set('well');
      await untilWell(scene, kind);
      expect(await circuit()).toBe('closed');
      expect(await scene.lease(FAR)).toMatchObject({ status: 201, body: { version: 2 } });
    });
  });

  test('a store that is slow slows nobody but those who need it', async () => {
    await expectFreezes(scene, 'service:before-slow');
    await scene.remote.set('slow');
    const slow = scene.lease(FAR);
    await expectAlive(scene);
    expect(await scene.lease(NEAR)).toMatchObject({ status: 201 });
    expect(await slow).toMatchObject({ status: 201, body: { version: 2 } });
    await scene.remote.set('well');
  });

  test('a server that starts while the store hangs starts, and what is pending stays so', async () => {
    await scene.remote.set('lost after a change');
    expect((await scene.import(FAR, kind)).reply).toMatchObject(UNAVAILABLE);
    await scene.remote.set('hanging');
    await scene.keyturn.restart();
    expect(await scene.versions(FAR)).toBe('1 abandoned, 2 current, 3 staged, 4 pending');
    expect(await scene.lease(NEAR)).toMatchObject({ status: 201 });
    await scene.remote.set('well');
    await untilWell(scene, kind);
    expect(await scene.versions(FAR)).toBe('1 abandoned, 2 current, 3 staged, 4 staged');
  });

  test('nothing of all that the server wrote, answered and measured betrays a credential or a key', async () => {
    const surfaces = await scene.surfaces();
    expect(surfaces.length).toBeGreaterThan(10_000);
    expect(told(new Searcher(scene.canaries).find(surfaces))).toEqual([]);
  });
}

/** The process answers at once, whatever hangs: the quickest of a few, so that a busy machine proves nothing. */
async function expectAlive({ keyturn }: StoreScene): Promise<void> {
  const taken: number[] = [];
  for (let asked = 0; asked < 5; asked += 1) {
    const start = performance.now();
    expect(await keyturn.call('GET', '/livez', { token: null })).toMatchObject({ status: 200 });
    taken.push(performance.now() - start);
  }
  expect(Math.min(...taken)).toBeLessThan(100);
}

async function expectFreezes({ keyturn }: StoreScene, subject: string): Promise<void> {
  const json = { target: 'principal', subject, reason: 'a drill' };
  expect(await keyturn.call('POST', '/v1/holds', { json })).toMatchObject({ status: 201 });
}

/** The circuit lets one call through when its time is over; what was pending is settled then. */
async function untilWell(scene: StoreScene, kind: string): Promise<void> {
  for (let asked = 0; asked < 200; asked += 1) {
    await scene.chores();
    const store = scene.keyturn.serving.instance.desk.stores.get(kind);
    const answered = await store?.tryRead('versions/nobody/asks/1').catch(() => undefined);
    if (answered === null) {
      await scene.chores();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`The store ${kind} did not come back.`);
}
