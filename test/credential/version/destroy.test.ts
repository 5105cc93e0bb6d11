import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { doChores } from '../../../src/compose/serve.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import type { Stage } from '../stage.ts';
import { driverOf, twoStores } from '../store/two-stores.ts';

const KEY = 'versions/lean/sandbox/1';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await twoStores();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
  await stage.import();
});
afterEach(() => stage.strike());

const act = (what: 'retire' | 'destroy', version: number, json?: object) =>
  stage.post(
    `/v1/credentials/lean%2Fsandbox/versions/${version}/${what}`,
    what === 'retire' ? { json: json ?? {} } : {},
  );
const states = async (instance: TestInstance = stage.keyturn) =>
  (await instance.serving.instance.desk.ledger.find('versions', {}, { orderBy: 'version' })).map(({ state }) => state);
const records = async (store = 'file') =>
  (await driverOf(stage, store).list()).filter((record) => record.startsWith('versions/'));
/** Version 1 is retired. */
const retired = async () => {
  await stage.promote(2);
  expect(await act('retire', 1)).toMatchObject({ status: 200 });
};

describe('retiring', () => {
  test('ends a staged or a previous version; the current one only after another took its place', async () => {
    expect(await act('retire', 1)).toMatchObject({ status: 409, body: { code: 'version_state' } });
    expect(await act('retire', 2)).toMatchObject({ status: 200, body: { version: 2, liveLeases: 0 } });
    await stage.import();
    await stage.promote(3);
    expect(await act('retire', 1)).toMatchObject({ status: 200 });
    expect(await states()).toEqual(['retired', 'retired', 'current']);
    expect(await stage.promote(1)).toMatchObject({ status: 409, body: { code: 'version_state' } });
    expect(await act('retire', 1)).toMatchObject({ status: 409, body: { code: 'version_state' } });
  });

  test('waits for live leases, naming who has them and until when, unless it is forced', async () => {
    const lease = await stage.lease(payments);
    await stage.promote(2);
    expect(await act('retire', 1)).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringContaining('service:payments') },
    });
    expect(await act('retire', 1, { force: true })).toMatchObject({ status: 200, body: { liveLeases: 1 } });
    expect(await stage.renew(payments, lease.body['lease'])).toMatchObject({ status: 200, body: { version: 2 } });
  });

  test('counts no lease that is over', async () => {
    await stage.lease(payments);
    await stage.promote(2);
    stage.clock.forward(3_600_000);
    expect(await act('retire', 1)).toMatchObject({ status: 200, body: { liveLeases: 0 } });
  });
});

describe('destroying', () => {
  test('of what is in use says what has to be done first, in an order that is not refused', async () => {
    const current = await act('destroy', 1);
    expect(current).toMatchObject({ status: 409, body: { code: 'version_state' } });
    expect(current.body['fix']).toMatch(
      /keyturn promote lean\/sandbox NUMBER\); then keyturn retire lean\/sandbox 1; then/,
    );
    expect(await act('destroy', 2)).toMatchObject({ body: { fix: 'Retire it first: keyturn retire lean/sandbox 2' } });
    await retired();
    expect(await act('destroy', 1)).toMatchObject({ status: 200 });
  });

  test('takes the key of a retired version out of its store: intent, destroyed, outcome', async () => {
    await retired();
    expect(await act('destroy', 1)).toMatchObject({ status: 200, body: { version: 1, stores: ['file'] } });
    expect([await states(), await records()]).toEqual([['destroyed', 'current'], ['versions/lean/sandbox/2']]);
    const [intent, outcome] = [
      await stage.keyturn.entries('version.destroy-intended'),
      await stage.keyturn.entries('version.destroyed'),
    ];
    expect(intent).toMatchObject([{ actor: 'person:alice', version: 1, data: { record: KEY, stores: ['file'] } }]);
    expect(outcome).toMatchObject([{ actor: 'person:alice', version: 1, data: { record: KEY, store: 'file' } }]);
    expect(await act('destroy', 1)).toMatchObject({ status: 409, body: { code: 'version_state' } });
    await stage.keyturn.restart();
    expect(await states()).toEqual(['destroyed', 'current']);
  });

  test.each([1, 2])('of version %i is refused while it is in use or may come into use', async (version) => {
    expect(await act('destroy', version)).toMatchObject({
      status: 409,
      body: { code: 'version_state', fix: expect.stringContaining('keyturn retire') },
    });
    expect(await records()).toHaveLength(2);
  });

  test('takes the old copies that moves have left over too', async () => {
    await stage.post('/v1/stores/file/moves', { json: { to: 'archive', record: KEY } });
    await retired();
    expect(await act('destroy', 1)).toMatchObject({ status: 200, body: { stores: ['file', 'archive'] } });
    expect([await records(), await records('archive')]).toEqual([['versions/lean/sandbox/2'], []]);
    expect((await stage.keyturn.call('GET', '/v1/copies')).body['items']).toEqual([]);
    await stage.keyturn.restart();
    expect(await states()).toEqual(['destroyed', 'current']);
  });

  test('waits for its turn at a store that a move has just taken the key to', async () => {
    await retired();
    const { storeQueue } = stage.desk;
    const archive = driverOf(stage, 'archive');
    const [write, destroy] = [archive.write.bind(archive), archive.destroy.bind(archive)];
    const run = storeQueue.run.bind(storeQueue);
    const [writing, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const [queued, further] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    archive.write = async (record, octets) => {
      writing.resolve();
      await gate.promise;
      return write(record, octets);
    };
    const moved = stage.post('/v1/stores/file/moves', { json: { to: 'archive', record: KEY } });
    await writing.promise;
    storeQueue.run = (places, effect) => {
      if (places.includes('credential lean/sandbox')) {
        (places.includes('store archive') ? further : queued).resolve();
      }
      return run(places, effect);
    };
    const destroyed = act('destroy', 1);
    await queued.promise;
    let [inside, met] = [false, false];
    archive.destroy = async (record) => {
      met ||= inside;
      further.resolve();
      return destroy(record);
    };
    const other = run(['store archive'], async () => {
      inside = true;
      await further.promise;
      inside = false;
    });
    gate.resolve();
    expect(await moved).toMatchObject({ status: 200 });
    expect(await destroyed).toMatchObject({ status: 200, body: { stores: ['file', 'archive'] } });
    await other;
    expect(met).toBe(false);
  });

  test.each([
    ['store', 'file', {}],
    ['credential', 'lean/sandbox', {}],
    ['version', 'lean/sandbox', { version: 1 }],
  ] as const)('is refused under a freeze of the %s: what is frozen is kept', async (target, subject, more) => {
    await retired();
    await stage.freeze(target, subject, more);
    expect(await act('destroy', 1)).toMatchObject({ status: 403, body: { code: 'held' } });
    expect(await records()).toContain(KEY);
  });

  test('in a store that does not answer goes on when it does', async () => {
    await retired();
    const driver = driverOf(stage, 'file');
    const destroy = driver.destroy.bind(driver);
    driver.destroy = async () => Promise.reject(new Error('away'));
    expect(await act('destroy', 1)).toMatchObject({ status: 503, body: { code: 'keystore_unavailable' } });
    expect(await states()).toEqual(['retired', 'current']);
    // Others write there meanwhile.
    expect(await stage.import()).toMatchObject({ status: 201 });
    driver.destroy = destroy;
    await doChores(stage.keyturn.serving.instance);
    expect(await states()).toEqual(['destroyed', 'current', 'staged']);
    expect(await records()).not.toContain(KEY);
    await stage.keyturn.restart();
    expect(await states()).toEqual(['destroyed', 'current', 'staged']);
  });

  test.each(['before', 'after'] as const)(
    'interrupted %s the key is gone: destroyed at the next start',
    async (when) => {
      await retired();
      const driver = driverOf(stage, 'file');
      const destroy = driver.destroy.bind(driver);
      const reached = Promise.withResolvers<void>();
      driver.destroy = async (record) => {
        if (when === 'after') await destroy(record);
        reached.resolve();
        await stage.end;
      };
      void act('destroy', 1).catch(() => undefined);
      await reached.promise;
      const after = await stage.afterCrash();
      expect(await states(after)).toEqual(['destroyed', 'current']);
      expect(await after.serving.instance.store.list()).not.toContain(KEY);
      await after.restart();
      await after.stop();
    },
  );
});
