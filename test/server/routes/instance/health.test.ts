import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyStore } from '../../../../src/keystore/keystore.ts';
import { MemoryKeyStore } from '../../../conformance/broken-keystore.ts';
import { Stage } from '../../../credential/stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.strike());

test('ready while ledger and store answer', async () => {
  expect(await stage.keyturn.call('GET', '/readyz', { token: null })).toMatchObject({
    status: 200,
    body: { ready: true, checks: [{ name: 'ledger' }, { name: 'store file' }] },
  });
});

test.each(['fails', 'hangs'])(
  'a store that %s makes it 503 within two seconds, without a word of this host',
  async (how) => {
    stage.driver.health = () =>
      how === 'fails'
        ? Promise.resolve({ ready: false, detail: `${stage.keyturn.home} is gone` })
        : new Promise(() => undefined);
    // What the store said at the start answers for half a second.
    await pause(600);
    const started = performance.now();
    const reply = await stage.keyturn.call('GET', '/readyz', { token: null });
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(reply).toMatchObject({ status: 503, body: { ready: false } });
    expect(reply.text).toContain('store file');
    expect(reply.text).not.toContain(stage.keyturn.home);
    expect((await stage.keyturn.call('GET', '/livez', { token: null })).status).toBe(200);
  },
);

test('a further store that is down is told, and leaves the server in service', async () => {
  const driver = new MemoryKeyStore();
  driver.health = async () => ({ ready: false, detail: 'down' });
  (stage.desk.stores as Map<string, KeyStore>).set('vault', new KeyStore('vault', driver));
  expect(await stage.keyturn.call('GET', '/readyz', { token: null })).toMatchObject({
    status: 200,
    body: {
      ready: true,
      checks: [
        { name: 'ledger', ready: true, required: true },
        { name: 'store file', ready: true, required: true },
        { name: 'store vault', ready: false, required: false },
      ],
    },
  });
});

test('strangers who probe again and again do not make us probe the store as often', async () => {
  let probes = 0;
  stage.driver.health = async () => {
    probes += 1;
    return { ready: true, detail: '' };
  };
  for (let count = 0; count < 20; count += 1) await stage.keyturn.call('GET', '/readyz', { token: null });
  expect(probes).toBeLessThan(10);
});
