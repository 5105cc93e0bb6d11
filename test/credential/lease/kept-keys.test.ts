import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyCache } from '../../../src/keystore/cache/key-cache.ts';
import { opened, Stage } from '../stage.ts';

let stage: Stage;
let token: string;
let cache: KeyCache;
let reads: string[];

beforeEach(async () => {
  stage = await Stage.set();
  await stage.import();
  token = await stage.keyturn.grant('service:payments', 'service');
  cache = new KeyCache({ stores: new Set(['file']), seconds: 5, clock: stage.clock });
  Object.assign(stage.desk, { keys: cache });
  reads = [];
  const read = stage.driver.read.bind(stage.driver);
  stage.driver.read = (record) => {
    reads.push(record);
    return read(record);
  };
});
afterEach(() => stage.strike());

test('leases share one read of the store, and are served while it is down', async () => {
  const first = opened(await stage.lease(token)).get('key');
  expect(opened(await stage.lease(token)).get('key')).toEqual(first);
  stage.driver.read = () => Promise.reject(new Error('down'));
  expect(opened(await stage.lease(token)).get('key')).toEqual(first);
  expect(reads).toEqual(['versions/lean/sandbox/1']);
  stage.clock.forward(5_000);
  expect((await stage.lease(token)).status).toBe(503);
});

test('the records of an encrypted file are kept as those of a store elsewhere', async () => {
  const keeping = await Stage.set({ cache: { seconds: 5 } });
  try {
    await keeping.import();
    await keeping.lease(await keeping.keyturn.grant('service:payments', 'service'));
    expect(keeping.desk.keys.size).toBe(1);
  } finally {
    await keeping.strike();
  }
});

test('a key that is kept is no reason to lend it: the commit says frozen', async () => {
  await stage.lease(token);
  expect((await stage.freeze('credential', 'lean/sandbox')).status).toBe(201);
  expect(cache.size).toBe(0);
  (await cache.read(stage.desk.defaultStore, 'versions/lean/sandbox/1')).dispose();
  const reply = await stage.lease(token);
  expect(reply.status).toBe(403);
  expect(reply.body['code']).toBe('held');
  expect(cache.size).toBe(1);
});

test('a promotion and a new companion leave nothing of before in the cache', async () => {
  await stage.import();
  await stage.lease(token);
  expect(cache.size).toBe(1);
  await stage.promote(2);
  expect(cache.size).toBe(0);
  expect((await stage.lease(token)).body['version']).toBe(2);
  expect(cache.size).toBe(1);
  await stage.companion('a token');
  expect(cache.size).toBe(0);
  expect(
    opened(await stage.lease(token))
      .get('companion/lean-app-token')
      ?.toString(),
  ).toBe('a token');
});
