import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { doChores } from '../../../src/compose/serve.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import { gateReads, opened, type Stage } from '../stage.ts';
import { driverOf, twoStores } from './two-stores.ts';

const KEY = 'versions/lean/sandbox/1';
const TOKEN = 'companions/lean/sandbox/lean-app-token/1';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await twoStores();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
  await stage.companion('an app token');
});
afterEach(() => stage.strike());

const move = (record: string, from = 'file', to = 'archive') =>
  stage.post(`/v1/stores/${from}/moves`, { json: { to, record } });
const plan = (json: object = { to: 'archive' }) => stage.post('/v1/stores/file/plan', { json });
const destroyCopy = (id: unknown) => stage.keyturn.call('DELETE', `/v1/copies/${String(id)}`);
const copies = async () =>
  (await stage.keyturn.call('GET', '/v1/copies')).body['items'] as { id: string; record: string; store: string }[];
const whereIs = async (record: string, instance: TestInstance = stage.keyturn) => {
  const { ledger } = instance.serving.instance.desk;
  const rows = [...(await ledger.find('versions', { record })), ...(await ledger.find('companions', { record }))];
  return rows.map(({ store }) => store).join();
};
const moves = async (instance: TestInstance = stage.keyturn) =>
  (await instance.serving.instance.desk.ledger.find('moves', {}, { orderBy: 'id' })).map(({ state }) => state);
const kinds = async (instance: TestInstance = stage.keyturn) => {
  const entries = await instance.serving.instance.desk.ledger.entries({ limit: 1_000 });
  return entries
    .map(({ json }) => (JSON.parse(json) as { kind: string }).kind)
    .filter((kind) => /^store\.(move|copy)/.test(kind));
};
const lent = async () => [...opened(await stage.lease(payments)).values()].map((octets) => octets.toString('hex'));
const listed = async (name: string) =>
  (await driverOf(stage, name).list()).filter((record) => !record.startsWith('system/'));

describe('a move', () => {
  test('is an intent, a copy that is read back, and a switch; the same octets are lent before and after', async () => {
    const before = await lent();
    expect(await move(KEY)).toMatchObject({ status: 200, body: { record: KEY, from: 'file', to: 'archive' } });
    expect(await move(TOKEN)).toMatchObject({ status: 200 });
    expect(await kinds()).toEqual(['store.move-intended', 'store.moved', 'store.move-intended', 'store.moved']);
    expect([await whereIs(KEY), await whereIs(TOKEN)]).toEqual(['archive', 'archive']);
    expect(await lent()).toEqual(before);
    // The old copies stay, and both stores are still what the ledger knows.
    expect(await listed('file')).toHaveLength(2);
    await stage.keyturn.restart();
    expect(await lent()).toEqual(before);
  });

  test('its entries name the person, the record and both stores, and no secret', async () => {
    await move(KEY);
    const [intent] = await stage.keyturn.entries('store.move-intended');
    expect(intent).toMatchObject({
      actor: 'person:alice',
      credential: 'lean/sandbox',
      version: 1,
      data: { record: KEY, from: 'file', to: 'archive', spki: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test('there and back: what was left over counts again, and cannot be destroyed as a copy', async () => {
    await move(KEY);
    const [old] = await copies();
    expect(await move(KEY, 'archive', 'file')).toMatchObject({ status: 200 });
    expect(await moves()).toEqual(['returned', 'left']);
    expect(await destroyCopy(old?.id)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect((await copies()).map(({ store }) => store)).toEqual(['archive']);
    expect((await stage.lease(payments)).status).toBe(201);
  });

  test.each([
    ['a record that nobody knows', 'versions/lean/sandbox/9', 'file', 404, 'not_found'],
    ['a record of the instance itself', 'system/log/1', 'file', 404, 'not_found'],
    ['from a store where it does not lie', KEY, 'archive', 409, 'conflict'],
    ['from a store that is not there', KEY, 'elsewhere', 400, 'invalid_input'],
  ])('of %s is refused: nothing is recorded', async (_what, record, from, status, code) => {
    const reply = await move(record, from, from === 'file' ? 'archive' : 'file');
    expect(reply).toMatchObject({ status, body: { code } });
    expect(await moves()).toEqual([]);
  });

  test('of a record that is not what the ledger says: nothing is copied', async () => {
    const driver = driverOf(stage, 'file');
    const read = driver.read.bind(driver);
    driver.read = async () => SecretBytes.copyOf(Buffer.from('something else'));
    expect(await move(KEY)).toMatchObject({ body: { code: 'keystore_corrupt' } });
    driver.read = read;
    expect(await moves()).toEqual(['abandoned']);
    expect(await listed('archive')).toEqual([]);
    expect(await move(KEY)).toMatchObject({ status: 200 });
  });

  test('into a store that holds something else under that name is abandoned, and that is left as it is', async () => {
    using other = SecretBytes.copyOf(Buffer.from('something else'));
    await driverOf(stage, 'archive').write(KEY, other);
    expect(await move(KEY)).toMatchObject({ body: { code: 'keystore_conflict' } });
    expect([await whereIs(KEY), await moves()]).toEqual(['file', ['abandoned']]);
    using left = await driverOf(stage, 'archive').read(KEY);
    expect(left?.bytes.toString()).toBe('something else');
    await stage.keyturn.restart();
    expect((await stage.lease(payments)).status).toBe(201);
  });

  test('whose write is not answered is settled by looking, while the process runs', async () => {
    const driver = driverOf(stage, 'archive');
    const [write, read] = [driver.write.bind(driver), driver.read.bind(driver)];
    driver.write = async (record, octets) => {
      await write(record, octets);
      throw new Error('the connection broke');
    };
    driver.read = async () => Promise.reject(new Error('the connection is broken'));
    expect(await move(KEY)).toMatchObject({ status: 503, body: { code: 'keystore_unavailable' } });
    expect([await whereIs(KEY), await moves()]).toEqual(['file', ['copying']]);
    Object.assign(driver, { write, read });
    await doChores(stage.keyturn.serving.instance);
    expect([await whereIs(KEY), await moves()]).toEqual(['archive', ['left']]);
  });
});

describe('leases go on', () => {
  test('while their records move to and fro and old copies are destroyed', async () => {
    const before = await lent();
    let over = false;
    const moving = (async () => {
      for (let round = 0; round < 3; round += 1) {
        for (const [from, to] of [
          ['file', 'archive'],
          ['archive', 'file'],
        ] as const) {
          for (const record of [KEY, TOKEN]) {
            const moved = await move(record, from, to);
            expect(moved).toMatchObject({ status: 200 });
            expect(await destroyCopy(moved.body['move'])).toMatchObject({ status: 200 });
          }
        }
      }
      over = true;
    })();
    let leases = 0;
    while (!over) {
      const replies = await Promise.all([stage.lease(payments), stage.lease(payments)]);
      for (const reply of replies)
        expect([...opened(reply).values()].map((octets) => octets.toString('hex'))).toEqual(before);
      leases += replies.length;
    }
    await moving;
    expect(leases).toBeGreaterThan(0);
    await stage.keyturn.restart();
    expect(await lent()).toEqual(before);
  });

  /** As a move leaves it, past the gate of the old store's reads. */
  async function switchedTo(store: string, record: string): Promise<void> {
    using octets = SecretBytes.own(await octetsOf(record));
    await driverOf(stage, store).write(record, octets);
    const table = record === KEY ? 'versions' : 'companions';
    await stage.desk.ledger.commit({
      writes: [{ update: table, where: { record }, set: { store }, rows: 1 }],
      entry: { kind: 'test.moved', actor: 'system', data: {} },
    });
  }

  test.each([KEY, TOKEN])('but not past a freeze of the store that %s went to meanwhile', async (record) => {
    const gate = gateReads(driverOf(stage, 'file'));
    const asked = stage.lease(payments);
    await gate.reached;
    await switchedTo('archive', record);
    await stage.freeze('store', 'archive');
    gate.open();
    expect(await asked).toMatchObject({ status: 403, body: { code: 'held' } });
  });

  test('when the record has gone, and its old copy too, between the decision and the reading', async () => {
    const gate = gateReads(driverOf(stage, 'file'));
    const asked = stage.lease(payments);
    await gate.reached;
    await switchedTo('archive', KEY);
    await driverOf(stage, 'file').destroy(KEY);
    gate.open();
    expect(await asked).toMatchObject({ status: 201 });
  });
});

/** Past the gate of the driver's reads. */
async function octetsOf(record: string): Promise<Buffer> {
  using octets = await Object.getPrototypeOf(driverOf(stage, 'file')).read.call(driverOf(stage, 'file'), record);
  return Buffer.from((octets as SecretBytes).bytes);
}

describe('a freeze', () => {
  test.each(['file', 'archive'])('of the store %s stops every move into it and out of it', async (store) => {
    await stage.freeze('store', store);
    expect(await move(KEY)).toMatchObject({ status: 403, body: { code: 'held' } });
    expect(await moves()).toEqual([]);
  });

  test.each([
    ['credential', 'lean/sandbox', {}],
    ['version', 'lean/sandbox', { version: 1 }],
  ] as const)('of a %s keeps it where it is', async (target, subject, more) => {
    await stage.freeze(target, subject, more);
    expect(await move(KEY)).toMatchObject({ status: 403, body: { code: 'held' } });
    const { body } = await plan();
    expect(body['skipped']).toMatchObject(
      [{ record: expect.any(String), why: expect.stringContaining('frozen') }].concat(
        target === 'credential' ? [{ record: KEY, why: expect.stringContaining('frozen') }] : [],
      ),
    );
  });

  test('of the old store between the copy and the switch wins: the record stays under the freeze', async () => {
    const driver = driverOf(stage, 'archive');
    const write = driver.write.bind(driver);
    driver.write = async (record, octets) => {
      await write(record, octets);
      await stage.freeze('store', 'file');
    };
    expect(await move(KEY)).toMatchObject({ status: 403, body: { code: 'held' } });
    driver.write = write;
    await doChores(stage.keyturn.serving.instance);
    expect([await whereIs(KEY), await moves()]).toEqual(['file', ['copying']]);
    expect(await stage.lease(payments)).toMatchObject({ status: 403, body: { code: 'held' } });
    await stage.keyturn.restart();
    expect(await whereIs(KEY)).toBe('file');
  });

  test('of a store that a companion lies in stops the lease that would carry it', async () => {
    await move(TOKEN);
    await stage.freeze('store', 'archive');
    expect(await stage.lease(payments)).toMatchObject({ status: 403, body: { code: 'held' } });
  });
});

describe('an old copy', () => {
  test('is destroyed when told to: intent, destroyed, outcome; a second time there is nothing to do', async () => {
    const { body } = await move(KEY);
    expect(await destroyCopy(body['move'])).toMatchObject({ status: 200, body: { record: KEY, store: 'file' } });
    expect(await listed('file')).toEqual([TOKEN]);
    expect((await kinds()).slice(-2)).toEqual(['store.copy-destroy-intended', 'store.copy-destroyed']);
    expect(await destroyCopy(body['move'])).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await stage.keyturn.restart();
    expect((await stage.lease(payments)).status).toBe(201);
  });

  const reads: readonly (readonly [string, KeyStoreDriver['read'], string])[] = [
    ['another', async () => SecretBytes.copyOf(Buffer.from('x')), 'keystore_corrupt'],
    ['none', async () => null, 'keystore_corrupt'],
    ['no answer', async () => Promise.reject(new Error('away')), 'keystore_unavailable'],
  ];
  test.each(reads)('is kept when the record that counts reads as %s: it may be the last', async (_what, read, code) => {
    const { body } = await move(KEY);
    driverOf(stage, 'archive').read = read;
    expect(await destroyCopy(body['move'])).toMatchObject({ body: { code } });
    expect(await listed('file')).toContain(KEY);
    expect(await moves()).toEqual(['left']);
  });
});

describe('a crash', () => {
  test('before the copy landed: abandoned at the next start, and the old record counts', async () => {
    const driver = driverOf(stage, 'archive');
    const reached = Promise.withResolvers<void>();
    driver.write = async () => {
      reached.resolve();
      await stage.end;
    };
    void move(KEY).catch(() => undefined);
    await reached.promise;
    const after = await stage.afterCrash();
    expect([await whereIs(KEY, after), await moves(after)]).toEqual(['file', ['abandoned']]);
    expect((await kinds(after)).at(-1)).toBe('store.move-abandoned');
    await after.stop();
  });

  test('between the copy and the switch: finished at the next start', async () => {
    const driver = driverOf(stage, 'archive');
    const write = driver.write.bind(driver);
    const reached = Promise.withResolvers<void>();
    driver.write = async (record, octets) => {
      await write(record, octets);
      reached.resolve();
      await stage.end;
    };
    void move(TOKEN).catch(() => undefined);
    await reached.promise;
    const after = await stage.afterCrash();
    expect([await whereIs(TOKEN, after), await moves(after)]).toEqual(['archive', ['left']]);
    await after.stop();
  });

  test.each(['before', 'after'] as const)(
    '%s the old copy was destroyed: it is gone at the next start',
    async (when) => {
      const { body } = await move(KEY);
      const driver = driverOf(stage, 'file');
      const destroy = driver.destroy.bind(driver);
      const reached = Promise.withResolvers<void>();
      driver.destroy = async (record) => {
        if (when === 'after') await destroy(record);
        reached.resolve();
        await stage.end;
      };
      void destroyCopy(body['move']).catch(() => undefined);
      await reached.promise;
      const after = await stage.afterCrash();
      expect(await moves(after)).toEqual(['destroyed']);
      expect(await after.serving.instance.store.list()).not.toContain(KEY);
      await after.restart();
      await after.stop();
    },
  );
});

describe('a plan', () => {
  test('shows what would move, of which credentials, and both stores, and does nothing', async () => {
    await stage.import('lean/production');
    const { body } = await plan({ to: 'archive', credentials: ['lean/sandbox'] });
    expect(body).toMatchObject({
      from: { name: 'file', ready: true, frozen: false, lacking: [] },
      to: { name: 'archive', ready: true, frozen: false, lacking: [] },
      moves: [
        { record: TOKEN, state: 'current' },
        { record: KEY, state: 'current', what: 'version 1' },
      ],
      skipped: [],
      open: [],
    });
    expect(await moves()).toEqual([]);
    expect((await plan()).body['moves']).toHaveLength(3);
  });

  test('leaves out what holds no key, and names what can not be moved', async () => {
    await stage.import();
    await stage.import();
    const { ledger } = stage.desk;
    const set = (version: number, state: 'pending' | 'quarantined' | 'abandoned') =>
      ledger.commit({
        writes: [{ update: 'versions', where: { credential: 'lean/sandbox', version }, set: { state }, rows: 1 }],
        entry: { kind: 'test.set', actor: 'system', data: {} },
      });
    await set(2, 'quarantined');
    await set(3, 'abandoned');
    const { body } = await plan();
    expect(body['skipped']).toMatchObject([{ state: 'quarantined', why: expect.stringContaining('something else') }]);
    expect(await move('versions/lean/sandbox/2')).toMatchObject({ status: 409, body: { code: 'version_state' } });
  });
});

test('the list of stores says how many records of which state lie where, and what is left over', async () => {
  await move(KEY);
  await stage.freeze('store', 'archive');
  expect((await stage.keyturn.call('GET', '/v1/stores')).body['items']).toMatchObject([
    { name: 'file', default: true, ready: true, frozen: false, versions: {}, companions: { current: 1 }, leftovers: 1 },
    { name: 'archive', default: false, frozen: true, versions: { current: 1 }, companions: {}, leftovers: 0 },
  ]);
});
