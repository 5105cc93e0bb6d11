import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogVerifier } from '../../src/audit/checkpoint.ts';
import { readLines } from '../../src/audit/export.ts';
import { verifyExport } from '../../src/audit/verify.ts';
import { formatRecipient } from '../../src/backup/recipient.ts';
import { type Credential, connect, type KeyturnClient } from '../../src/client/index.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type RestoreOptions, restoreBackup } from '../../src/compose/restore/restore.ts';
import { generateX25519 } from '../../src/sealed/x25519.ts';
import { piecesOf } from '../backup/octets.ts';
import { Told } from '../client/setup.ts';
import { TestCa } from '../fakes/ca.ts';
import { edit, TestInstance } from './instance.ts';
import { ServerProcess } from './kill/server-process.ts';

const identity = generateX25519();
const RECIPIENT = formatRecipient(identity.publicKey);

/** Where what outlives the machine is kept: outside checkpoints, the master key, backups, the clients' files. */
let elsewhere: string;
let keyturn: TestInstance;
let server: ServerProcess;
const clients: KeyturnClient[] = [];

beforeEach(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'kt-elsewhere-'));
  await mkdir(join(elsewhere, 'outside'));
  keyturn = await TestInstance.start();
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    backup: { recipients: [RECIPIENT] },
    checkpoint: { path: join(elsewhere, 'outside', 'checkpoint') },
  }));
  await keyturn.restart();
  await copyFile(join(keyturn.home, 'master', 'master.key'), join(elsewhere, 'master.key'));
  await copyFile(join(keyturn.home, 'admin', 'connection.json'), join(elsewhere, 'connection.json'));
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await server.kill();
  await rm(keyturn.home, { recursive: true, force: true });
  await rm(elsewhere, { recursive: true, force: true });
});

interface Service {
  readonly credential: Credential;
  readonly told: Told;
}

/** A real client with the connection file that it was once given. */
async function service(token: string): Promise<Service> {
  const told = new Told();
  const connection = join(elsewhere, 'connection.json');
  const client = await connect({ connection, token: () => Buffer.from(token), on: told.listeners });
  clients.push(client);
  return { credential: await client.credential('lean/sandbox'), told };
}

async function importKey(credential: string): Promise<void> {
  const ca = await TestCa.create();
  const issued = await ca.client();
  const all = Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem);
  const reply = await keyturn.import(credential, { 'all.pem': all }, { environment: 'sandbox' });
  expect(reply.status, reply.text).toBe(201);
}

/** Goes on in a process that can be killed. */
async function moveToProcess(home: string): Promise<void> {
  server = new ServerProcess();
  expect(await server.serve(home)).toBe(keyturn.url);
}

async function loseTheMachine(): Promise<void> {
  await server.kill();
  await rm(keyturn.home, { recursive: true });
}

function restore(file: string, more: Partial<RestoreOptions> = {}) {
  return restoreBackup({
    file,
    identity: identity.privateKey,
    home: join(elsewhere, 'new-home'),
    ask: cannotAsk,
    masterKeyFile: join(elsewhere, 'master.key'),
    ...more,
  });
}

async function backupTo(name: string, token: string): Promise<string> {
  const reply = await keyturn.call('POST', '/v1/backups', { token, json: { recipient: RECIPIENT } });
  expect(reply.status, reply.text.slice(0, 300)).toBe(201);
  await writeFile(join(elsewhere, name), reply.raw);
  return join(elsewhere, name);
}

async function exportOf(token: string): Promise<string> {
  return (await keyturn.call('GET', '/v1/audit/export', { token })).text;
}

async function keys(): Promise<{ origin: string; keys: string[] }> {
  const { log } = JSON.parse(await readFile(join(elsewhere, 'connection.json'), 'utf8')) as {
    log: { origin: string; keys: string[] };
  };
  return log;
}

test('backup under load, machine lost, restored elsewhere: clients go on, and what is lost is named', async () => {
  await importKey('lean/sandbox');
  const [payments, billing, late] = [
    await keyturn.grant('service:payments', 'service'),
    await keyturn.grant('service:billing', 'service'),
    await keyturn.grant('service:late', 'service'),
  ];
  const backup = await keyturn.grant('service:backup', 'backup', { credentials: ['**'] });
  await keyturn.serving.stop();
  await moveToProcess(keyturn.home);

  const one = await service(payments);
  const two = await service(billing);
  let loading = true;
  const load = [one, two].map(async ({ credential }) => {
    while (loading) await credential.renew();
  });
  const file = await backupTo('one.backup', backup).finally(() => {
    loading = false;
  });
  await Promise.all(load);

  // After the backup: more leases, a new service, a freeze, an import; then an export, and leases that nothing names.
  await one.credential.renew();
  const three = await service(late);
  await importKey('lean/sandbox/second');
  const freeze = { target: 'credential', subject: 'lean/sandbox/second', reason: 'seen in a paste' };
  expect((await keyturn.call('POST', '/v1/holds', { json: freeze })).status).toBe(201);
  await writeFile(join(elsewhere, 'tail.log'), await exportOf(keyturn.admin));
  await two.credential.renew();
  await three.credential.renew();
  const lostFacts = [one, two, three].map(({ credential }) => credential.status());
  expect(lostFacts.every(({ state, version }) => state === 'live' && version === 1)).toBe(true);
  // The checkpoint outside is written behind the commits; what it has not seen of them nobody could name.
  const newest = (await keyturn.call('GET', '/v1/audit/checkpoint')).text;
  await expect.poll(() => readFile(join(elsewhere, 'outside', 'checkpoint'), 'utf8')).toBe(newest);
  await loseTheMachine();
  await copyFile(join(elsewhere, 'outside', 'checkpoint'), join(elsewhere, 'last-checkpoint'));
  const verifier = new LogVerifier(await keys());
  const last = verifier.open(await readFile(join(elsewhere, 'last-checkpoint'), 'utf8'));

  // Nothing happens until the loss is accepted, and nothing is left of the attempt.
  const refusal = restore(file, { tail: join(elsewhere, 'tail.log') });
  await expect(refusal).rejects.toMatchObject({ code: 'loss_not_accepted', facts: { to: last.size } });
  expect((await readdir(elsewhere)).filter((name) => name.startsWith('new-home'))).toEqual([]);

  const restored = await restore(file, { tail: join(elsewhere, 'tail.log'), acceptLoss: true });
  expect(restored).toMatchObject({ generation: 2, frozen: 1, external: [], outsideFailure: null });
  const { range, entries } = restored.loss;
  expect(range).toEqual({ from: restored.size, to: last.size, generation: 1 });
  expect(entries?.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['backup.taken', 'lease.renewed', 'lease.granted', 'version.imported', 'hold.placed']),
  );
  await moveToProcess(restored.home);

  // Everybody goes on with the files that they have, and is told once.
  for (const { credential, told } of [one, two, three]) {
    await credential.renew();
    if (told.codes('alarm').includes('not_found')) await credential.renew();
    expect(credential.status()).toMatchObject({ state: 'live', version: 1, reason: null });
    await credential.renew();
    expect(told.codes('alarm').filter((code) => code === 'log_restored')).toHaveLength(1);
    expect(told.codes('alarm')).not.toContain('log_forked');
    expect(told.of('ended')).toEqual([]);
    const alarm = told.of('alarm').find(({ error }) => (error as { code: string }).code === 'log_restored');
    expect(alarm?.['error']).toMatchObject({ facts: { from: 1, to: 2, base: restored.size, continues: false } });
  }
  const fresh = await service(payments);
  expect(fresh.told.of('alarm')).toEqual([]);

  // The log as it is now, offline: intact over the boundary, with the lost range named.
  const text = await exportOf(keyturn.admin);
  const since = [await readFile(join(elsewhere, 'last-checkpoint'), 'utf8')];
  const report = await verifyExport(readLines(piecesOf(Buffer.from(text))), verifier, { since });
  expect(report).toMatchObject({
    intact: true,
    generations: [{ generation: 2, follows: 1, base: restored.size }],
    lost: [{ generation: 1, from: restored.size, to: last.size }],
  });
  const holds = await keyturn.call('GET', '/v1/holds');
  expect(JSON.stringify(holds.body)).toContain('lean/sandbox/second');
}, 120_000);
