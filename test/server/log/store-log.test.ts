import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { KeyturnError } from '../../../src/core/errors.ts';
import { ServerLog } from '../../../src/server/log/server-log.ts';
import { StoreLog } from '../../../src/server/log/store-log.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';

const sealed = new KeyturnError('keystore_unavailable', 'Vault is sealed.', {
  fix: 'Run: bao operator unseal',
  facts: { reason: 'sealed', certain: true },
});

function staged() {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      const { level: _, time: __, ...rest } = JSON.parse(String(chunk)) as Record<string, unknown>;
      lines.push(rest);
      done();
    },
  });
  let now = 0;
  const log = new StoreLog(new ServerLog({ destination }), { now: () => now, monotonic: () => now });
  return {
    log,
    forward: (ms: number) => {
      now += ms;
    },
    told: () => lines.splice(0),
  };
}

test('a failure names store, verb, reason and what mends it, once a minute for each cause', () => {
  const { log, forward, told } = staged();
  log.failure('vault-eu', 'read', sealed);
  log.failure('vault-eu', 'write', sealed);
  expect(told()).toEqual([
    {
      event: 'store-failed',
      store: 'vault-eu',
      verb: 'read',
      code: 'keystore_unavailable',
      reason: 'sealed',
      message: 'Vault is sealed.',
      fix: 'Run: bao operator unseal',
    },
  ]);
  log.failure('vault-us', 'read', sealed);
  expect(told()).toMatchObject([{ store: 'vault-us' }]);
  forward(60_000);
  log.failure('vault-eu', 'read', sealed);
  expect(told()).toHaveLength(1);
});

test('what speaks of the request alone makes no line, nor what others throw', () => {
  const { log, told } = staged();
  log.failure('vault-eu', 'read', new KeyturnError('invalid_input', 'That is not a record name.'));
  log.failure('vault-eu', 'read', new Error('canary'));
  expect(told()).toEqual([]);
});

test('of health only changes are told', () => {
  const { log, told } = staged();
  const down = { ready: false, detail: 'Vault is sealed.' };
  log.health('vault-eu', { ready: true, detail: '' });
  expect(told()).toEqual([]);
  log.health('vault-eu', down);
  log.health('vault-eu', down);
  expect(told()).toEqual([{ event: 'store-not-ready', store: 'vault-eu', detail: 'Vault is sealed.' }]);
  log.health('vault-eu', { ready: true, detail: '' });
  log.health('vault-eu', { ready: true, detail: '' });
  expect(told()).toEqual([{ event: 'store-ready', store: 'vault-eu' }]);
});

test('a store that is down when the server starts is told of at once', async () => {
  const keyturn = await TestInstance.start();
  const file = join(keyturn.home, 'vault-token');
  await writeFile(file, 'a token', { mode: 0o600 });
  const down = { kind: 'vault', address: 'https://127.0.0.1:1', login: { method: 'token-file', file } };
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({ ...config, stores: { 'vault-eu': down } }));
  await keyturn.restart();
  const told = () => keyturn.log.filter((line) => line.includes('store-not-ready')).join('');
  // What is refused is asked again a few times first.
  await expect.poll(told, { timeout: 15_000 }).toContain('"store":"vault-eu"');
  expect(told()).toContain('ECONNREFUSED');
  await keyturn.stop();
});
