import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { delaying, FaultProxy } from '../../fakes/openbao/fault-proxy.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { imported } from '../upload.ts';
import { addVault } from './vault-instance.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;
let server: OpenBao;

beforeAll(async () => {
  server = await OpenBao.start();
  ({ keyturn, instance, stop } = await served());
  await addVault(instance, server);
  await imported(keyturn, instance, await TestCa.create());
  await keyturn.write('token.txt', 'an app token of 24 octets');
  keyturn.guard('an app token of 24 octets');
  await keyturn.json(['companion', 'set', 'lean/sandbox', 'lean-app-token', '--file', 'token.txt']);
});
afterAll(async () => {
  await stop();
  await server[Symbol.asyncDispose]();
});

const FROM_TO = ['--from', 'file', '--to', 'vault-eu'] as const;
const storeRows = async () =>
  (await instance.serving.instance.desk.ledger.find('versions', {})).map(({ store }) => store);

test('what is asked for must make sense', async () => {
  for (const args of [
    [],
    ['--from', 'file'],
    ['--from', 'file', '--to', 'file'],
    ['--from', 'file', '--to', 'elsewhere'],
  ]) {
    expect(await keyturn.refusal(['store', 'migrate', ...args])).toMatchObject({ exit: 2, code: 'invalid_input' });
  }
  const unknown = ['store', 'migrate', ...FROM_TO, '--credential', 'lean/sandbx'];
  expect(await keyturn.refusal(unknown)).toMatchObject({ exit: 4, code: 'not_found' });
  const both = ['store', 'migrate', '--destroy-left', '--to', 'vault-eu'];
  expect(await keyturn.refusal(both)).toMatchObject({ exit: 2, fix: expect.stringContaining('alone') });
});

test('the dry run tells what would move and what both stores are, and does nothing', async () => {
  const ran = await keyturn.run(['store', 'migrate', ...FROM_TO, '--dry-run']);
  expect(ran.code).toBe(0);
  expect(ran.out).toMatch(/^from +file \(file .*keys\.ktn\): answers; may be written$/m);
  expect(ran.out).toMatch(/^to +vault-eu \(vault https:.* secret\/keyturn\): answers; may be written$/m);
  expect(ran.out).toMatch(/^lean\/sandbox version 1 +current +versions\/lean\/sandbox\/1$/m);
  expect(ran.out).toMatch(/^lean\/sandbox lean-app-token 1 +current +companions\/lean\/sandbox\/lean-app-token\/1$/m);
  expect(ran.out).toContain('Nothing was done.');
  expect(await storeRows()).toEqual(['file']);
});

test('a login that may not write is told before anything moves, in the words of its policy', async () => {
  const shipped = (await server.root<{ data: { policy: string } }>({ path: 'sys/policies/acl/keyturn' })).data.policy;
  await server.policy('keyturn', shipped.replace('["create", "read"]', '["read"]'));
  const refusal = await keyturn.refusal(['store', 'migrate', ...FROM_TO]);
  expect(refusal).toMatchObject({ exit: 6, message: expect.stringContaining('"create" on secret/data/keyturn/') });
  await server.policy('keyturn', shipped);
  expect(await storeRows()).toEqual(['file']);
});

test('keys and companions move, leases go on from there, old copies are destroyed when told to', async () => {
  const ran = await keyturn.run(['store', 'migrate', ...FROM_TO]);
  expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('Moved 2 of 2 records from file to vault-eu.') });
  expect(ran.err).toContain('keyturn store migrate --from file --destroy-left');
  expect(await storeRows()).toEqual(['vault-eu']);
  const list = await keyturn.run(['store', 'list']);
  expect(list.out).toMatch(/^file +default, ready +- +- +2 +file /m);
  expect(list.out).toMatch(/^vault-eu +ready +1 current +1 current +0 +vault https:/m);

  const dry = await keyturn.run(['store', 'migrate', '--from', 'file', '--destroy-left', '--dry-run']);
  expect(dry.out).toContain('versions/lean/sandbox/1');
  const destroyed = await keyturn.run(['store', 'migrate', '--from', 'file', '--destroy-left']);
  expect(destroyed).toMatchObject({ code: 0, out: 'Destroyed 2 of 2 old copies.\n' });
  expect(await keyturn.json(['store', 'migrate', '--destroy-left'])).toEqual({ destroyed: 0, failed: [] });
  const names = await instance.serving.instance.store.list();
  expect(names.filter((name) => !name.startsWith('system/'))).toEqual([]);

  const payments = await instance.grant('service:payments', 'service');
  const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0 };
  const lease = await instance.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token: payments, json });
  expect(lease.status).toBe(201);
  const again = await keyturn.json(['store', 'migrate', ...FROM_TO]);
  expect(again).toMatchObject({ moved: [], skipped: [], failed: [] });
});

test('a store that takes a second for each answer answers, and is not down', async () => {
  const { url: upstream, ca } = server;
  await using slow = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
  slow.fault = delaying(1_000);
  await addVault(instance, server, slow.url);
  const ran = await keyturn.run(['store', 'migrate', '--from', 'vault-eu', '--to', 'file', '--dry-run']);
  expect(ran.out).toMatch(/^from +vault-eu \(vault https:.* secret\/keyturn\): answers; may be written$/m);
  expect((await keyturn.run(['store', 'list'])).out).not.toContain('DOWN');
  const text = async () => (await instance.call('GET', '/metrics', { token: null })).text;
  expect(await text()).toContain('keyturn_store_up{store="vault-eu"} 1');
  await addVault(instance, server);
});

test('back again with --destroy-old; a record that is frozen stays, is named, and makes the exit code 10', async () => {
  await keyturn.run(['freeze', 'lean/sandbox', '--version', '1', '--reason', 'drill']);
  const back = ['store', 'migrate', '--from', 'vault-eu', '--to', 'file', '--destroy-old'];
  const moved = await keyturn.json(back, 10);
  expect(moved).toMatchObject({
    moved: [{ record: 'companions/lean/sandbox/lean-app-token/1', old: 'destroyed' }],
    skipped: [{ record: 'versions/lean/sandbox/1', why: 'it is frozen' }],
    failed: [],
  });
  await expect(
    server.root({ path: 'secret/metadata/keyturn/companions/lean/sandbox/lean-app-token/1' }),
  ).rejects.toThrow('404');
  expect(await storeRows()).toEqual(['vault-eu']);
});

test('a store that does not answer: nothing moves, and it is told', async () => {
  await server.seal();
  expect(await keyturn.refusal(['store', 'migrate', ...FROM_TO])).toMatchObject({
    exit: 6,
    code: 'keystore_unavailable',
    message: expect.stringContaining('vault-eu'),
  });
  const list = await keyturn.run(['store', 'list']);
  expect(list).toMatchObject({ code: 0, out: expect.stringContaining('DOWN') });
  const companion = ['companion', 'set', 'lean/sandbox', 'lean-app-token', '--store', 'vault-eu'];
  const value = join(instance.home, 'companion');
  await writeFile(value, 'other', { mode: 0o600 });
  // Whoever runs the server finds the line of its log by it.
  expect((await keyturn.refusal([...companion, '--file', value])).message).toMatch(/under request_[0-9a-f]+\.$/);
  await server.unseal();
});
