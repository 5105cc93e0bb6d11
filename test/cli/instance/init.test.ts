import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;

beforeEach(async () => {
  keyturn = await Keyturn.at();
});

afterEach(() => keyturn[Symbol.asyncDispose]());

test('init makes an instance, says where everything is, and does not print the token', async () => {
  const ran = await keyturn.run(['init', '--admin', 'alice', '--port', '0']);
  expect(ran).toMatchObject({ code: 0 });
  const token = await readFile(join(keyturn.home, 'admin', 'token'), 'utf8');
  expect(`${ran.out}${ran.err}`).not.toContain(token.slice(-20));
  for (const told of ['person:alice', 'admin/connection.json', 'admin/token', 'log key', 'master/master.key']) {
    expect(ran.out).toContain(told);
  }
  expect(ran.err).toContain(`keyturn server --home ${keyturn.home}`);
  expect((await stat(join(keyturn.home, 'admin', 'token'))).mode & 0o777).toBe(0o600);
});

test('a second init in the same folder is refused and changes nothing', async () => {
  expect(await keyturn.json(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ administrator: 'alice' });
  const before = await readFile(join(keyturn.home, 'admin', 'token'), 'utf8');
  const refusal = await keyturn.refusal(['init', '--admin', 'mallory']);
  expect(refusal).toMatchObject({ exit: 5, code: 'conflict', fix: expect.stringContaining('--home') });
  expect(await readFile(join(keyturn.home, 'admin', 'token'), 'utf8')).toBe(before);
});

const NO_DATABASE = ['--postgres-host', '/nowhere', '--postgres-database', 'kt', '--postgres-user', 'kt'];

test.each([
  ['an administrator who can be none', ['--admin', 'Alice Smith'], 'invalid_input', 2],
  ['a name that is an URL', ['--admin', 'alice', '--name', 'https://kt.internal'], 'invalid_input', 2],
  ['a port that is none', ['--admin', 'alice', '--port', '70000'], 'invalid_input', 2],
  ['two master keys', ['--admin', 'alice', '--passphrase', '--master-key-file', 'm.key'], 'invalid_input', 2],
  ['a passphrase without a terminal', ['--admin', 'alice', '--passphrase'], 'invalid_input', 2],
  [
    'a database without a role',
    ['--admin', 'alice', '--postgres-host', 'db', '--postgres-database', 'kt'],
    'invalid_input',
    2,
  ],
  ['a database that is not there', ['--admin', 'alice', ...NO_DATABASE], 'ledger_unavailable', 6],
  ['a systemd credential outside systemd', ['--admin', 'alice', '--systemd-credential', 'kt'], 'config_invalid', 1],
])('%s is refused, and leaves nothing in the way of the next try', async (_, args, code, exit) => {
  expect(await keyturn.refusal(['init', ...args])).toMatchObject({ exit, code, fix: expect.stringMatching(/\S/) });
  expect(await readdir(keyturn.home).catch(() => [])).toEqual([]);
});

test.each([
  [['--name', 'bad name'], /^--name: /, /keyturn\.internal or 10\.0\.0\.7/],
  [['--name', 'kt.internal', '--name', '*.internal'], /^--name: /, /keyturn\.internal or 10\.0\.0\.7/],
  [['--host', '127.0.0.1:8443'], /^--host: /, /--port/],
  [['--host', 'https://kt.internal'], /^--host: /, /0\.0\.0\.0/],
  [['--origin', 'our log'], /^--origin: /, /without spaces/],
  [[...NO_DATABASE, '--postgres-port', '70000'], /^--postgres-port: /, /1 to 65535/],
  [[...NO_DATABASE, '--postgres-schema', 'pg_catalog'], /^--postgres-schema: /, /not begin with pg_/],
  [[...NO_DATABASE, '--postgres-schema', 'Our Schema'], /^--postgres-schema: /, /lower-case letters/],
] as const)(
  'init %j names the option and the allowed form, and no file that is not there',
  async (args, names, form) => {
    const refusal = await keyturn.refusal(['init', '--admin', 'alice', ...args]);
    expect(refusal).toMatchObject({ exit: 2, code: 'invalid_input', message: expect.stringMatching(names) });
    const { message, fix = '' } = refusal as { message: string; fix?: string };
    expect(`${message} ${fix}`).toMatch(form);
    expect(`${message} ${fix}`).not.toContain('keyturn.yaml');
  },
);

test.each([
  [['--host', '::1'], 'https://[::1]:'],
  [['--host', '0.0.0.0'], 'https://localhost:'],
  [['--host', '10.0.0.7', '--name', 'kt.internal'], 'https://kt.internal:'],
])('init %j makes a connection file that leads to where the server listens', async (args, url) => {
  await keyturn.json(['init', '--admin', 'alice', '--port', '0', ...args]);
  const text = await readFile(join(keyturn.home, 'admin', 'connection.json'), 'utf8');
  expect((JSON.parse(text) as { servers: string[] }).servers).toEqual([expect.stringContaining(url)]);
});

test('a master key file is named from where the command runs, also for the server', async () => {
  const args = ['init', '--admin', 'alice', '--port', '0', '--master-key-file', 'apart.key'];
  const made = await keyturn.json<{ masterKey: { file: string } }>(args);
  expect(made.masterKey.file).toBe(keyturn.path('apart.key'));
  expect(await keyturn.json(['store', 'verify'])).toMatchObject({ matchesLedger: true, lockedWith: 'key' });
});
