import { once } from 'node:events';
import { chmod, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Check } from '../../../src/core/check.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;
let instance: TestInstance;

beforeAll(async () => {
  instance = await TestInstance.start();
  keyturn = await Keyturn.at(instance.home);
  keyturn.guard(instance.admin);
});

afterAll(async () => {
  await instance.stop();
  await keyturn[Symbol.asyncDispose]();
});

async function checks(args: readonly string[], code: number): Promise<Check[]> {
  const found = (await keyturn.json<{ checks: Check[] }>(['doctor', ...args], code)).checks;
  for (const { verdict, evidence, fix } of found) {
    expect(evidence).not.toBe('');
    expect(fix === '').toBe(verdict === 'ok');
  }
  return found;
}

async function broken(args: readonly string[] = []): Promise<Pick<Check, 'name' | 'evidence' | 'fix'>[]> {
  const found = await checks(args, 1);
  return found
    .filter(({ verdict }) => verdict === 'broken')
    .map(({ name, evidence, fix }) => ({ name, evidence, fix }));
}

test('a fresh instance works, and what a production server lacks is pointed out', async () => {
  const found = await checks([], 10);
  const names = (verdict: Check['verdict']) =>
    found.filter((check) => check.verdict === verdict).map(({ name }) => name);
  expect(names('broken')).toEqual([]);
  expect(names('attention')).toEqual(
    expect.arrayContaining(['master key apart', 'outside checkpoint', 'server’s secure heap', 'credentials']),
  );
  expect(names('ok')).toEqual(
    expect.arrayContaining([
      'configuration',
      'key store file',
      'key store lock',
      'key store master key',
      'key store content',
      'server’s store file',
      'ledger',
      'policies',
      'local socket',
      'server',
      'token',
      'audit log',
    ]),
  );
  const { out } = await keyturn.run(['doctor']);
  expect(out).toContain('✔ key store file: ');
  expect(out).toContain('    fix: ');
});

test('a wrong home is told as that', async () => {
  const nowhere = keyturn.path('nowhere');
  expect(await broken(['--home', nowhere])).toMatchObject([
    { name: 'instance', evidence: `${nowhere} holds no keyturn.yaml`, fix: expect.stringContaining('keyturn init') },
    { name: 'connection', evidence: expect.stringContaining('connection.json') },
  ]);
});

test('files and folders that others can enter are named with the command that closes them', async () => {
  const [store, folder] = [join(instance.home, 'keys', 'keys.ktn'), join(instance.home, 'master')];
  await chmod(store, 0o640);
  await chmod(folder, 0o755);
  try {
    const fixes = (await broken()).map(({ name, fix }) => [name, fix]);
    expect(fixes).toContainEqual(['key store file', `chmod 600 ${store}`]);
    expect(fixes).toContainEqual(['key store master key', `chmod 700 ${folder}`]);
  } finally {
    await chmod(store, 0o600);
    await chmod(folder, 0o700);
  }
});

test('a policy that does not load and a configuration that does not parse are named', async () => {
  const bindings = join(instance.home, 'policies', 'access', 'bindings.yaml');
  await edit(bindings, (file) => ({ ...file, extra: 1 }));
  expect(await broken()).toMatchObject([{ name: 'policies', evidence: expect.stringContaining('bindings.yaml') }]);
  await edit(bindings, ({ bindings: list }) => ({ bindings: list }));

  const config = join(instance.home, 'keyturn.yaml');
  await edit(config, (content) => ({ ...content, leases: { default: '2h', maximum: '1h' } }));
  expect(await broken()).toMatchObject([{ name: 'configuration', evidence: expect.stringContaining('leases') }]);
  await edit(config, (content) => ({ ...content, leases: { default: '15m', maximum: '1h' } }));
});

test('a connection file with another CA is told as a server that cannot be trusted', async () => {
  const path = join(instance.home, 'admin', 'connection.json');
  const connection = JSON.parse(await readFile(path, 'utf8')) as object;
  const { certificatePem } = await TestCa.create();
  await keyturn.write('other.json', JSON.stringify({ ...connection, ca: certificatePem }));
  expect(await broken(['--connection', 'other.json'])).toMatchObject([
    {
      name: 'server',
      evidence: expect.stringContaining('server_untrusted'),
      fix: expect.stringContaining('connection file'),
    },
  ]);
});

test('a token that is missing, open to others, broken or unknown is told before all that needs it', async () => {
  const missing = { name: 'connection', evidence: expect.stringContaining('absent.token') };
  expect(await broken(['--token-file', 'absent.token'])).toMatchObject([missing]);
  await keyturn.write('open.token', instance.admin, 0o644);
  expect(await broken(['--token-file', 'open.token'])).toMatchObject([{ fix: expect.stringContaining('chmod 600') }]);
  await keyturn.write('two.token', 'two lines\nof text');
  expect(await broken(['--token-file', 'two.token'])).toMatchObject([{ name: 'connection' }]);
  const last = instance.admin.at(-5) === 'A' ? 'B' : 'A';
  await keyturn.write('unknown.token', `${instance.admin.slice(0, -5)}${last}${instance.admin.slice(-4)}`);
  expect(await broken(['--token-file', 'unknown.token'])).toMatchObject([
    {
      name: 'token',
      evidence: expect.stringContaining('unauthenticated'),
      fix: expect.stringContaining('token create'),
    },
  ]);
});

test('something else on the server’s port is not taken for it', async () => {
  const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const path = join(instance.home, 'admin', 'connection.json');
  const connection = JSON.parse(await readFile(path, 'utf8')) as object;
  await keyturn.write('elsewhere.json', JSON.stringify({ ...connection, servers: [`https://localhost:${port}`] }));
  expect(await broken(['--connection', 'elsewhere.json'])).toMatchObject([{ name: 'server' }]);
  other.close();
});

test('a server that is stopped is told, with the command that starts it', async () => {
  await instance.serving.stop();
  expect(await broken()).toMatchObject([
    { name: 'local socket', fix: expect.stringContaining('keyturn server') },
    {
      name: 'server',
      evidence: expect.stringContaining('ECONNREFUSED'),
      fix: expect.stringContaining('keyturn server'),
    },
  ]);
  instance = await TestInstance.open(instance.home);
});
