import { existsSync, readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Check } from '../../../src/core/check.ts';
import { edit } from '../../e2e/instance.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { Keyturn } from '../keyturn.ts';
import { PROCESSES_MS, useTheStore, whileServing } from './server-process.ts';

const POLICY = readFileSync(
  fileURLToPath(new URL('../../../policies/vault/keyturn-transit.hcl', import.meta.url)),
  'utf8',
);
const INIT = ['init', '--admin', 'alice', '--port', '0', '--vault-transit-key', 'keyturn'];

vi.setConfig({ testTimeout: PROCESSES_MS });

let server: OpenBao;
let keyturn: Keyturn;
let environment: Record<string, string>;

beforeAll(async () => {
  server = await OpenBao.start();
  await server.root({ path: 'sys/mounts/transit', body: { type: 'transit' } });
  for (const key of ['keyturn', 'second']) {
    await server.root({ path: `transit/keys/${key}`, body: {} });
    await server.policy(key, POLICY.replaceAll('/keyturn"', `/${key}"`));
  }
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  keyturn = await Keyturn.at();
  environment = {
    VAULT_ADDR: server.url,
    VAULT_CACERT: await keyturn.write('vault-ca.pem', server.ca.certificatePem),
    VAULT_TOKEN: await server.token(['keyturn']),
  };
  for (const secret of [environment['VAULT_TOKEN'] ?? '', server.rootToken]) keyturn.guard(secret);
});
afterEach(() => keyturn[Symbol.asyncDispose]());

const wrapped = () => join(keyturn.home, 'master', 'wrapped');

test('Vault is asked at the start alone: the server serves while it is sealed, and does not start again until it is not', async () => {
  const made = await keyturn.run(INIT, environment);
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining('Vault is asked at each start') });
  expect(made.out).toContain('master/wrapped, wrapped by Vault transit');
  expect(readFileSync(wrapped(), 'utf8')).toMatch(/^vault:v1:/);
  expect((await stat(wrapped())).mode & 0o777).toBe(0o600);

  try {
    await whileServing(keyturn, environment, async () => {
      await server.seal();
      await useTheStore(keyturn);
      expect(await keyturn.run(['whoami'])).toMatchObject({ code: 0 });
    });
    expect(await keyturn.refusal(['server'], environment)).toMatchObject({
      exit: 6,
      code: 'keystore_unavailable',
      message: expect.stringMatching(
        /master key in .*wrapped, wrapped by Vault transit\/keys\/keyturn, can't be had: Vault is sealed/,
      ),
      fix: expect.stringContaining('bao operator unseal'),
    });
  } finally {
    await server.unseal();
  }
  await whileServing(keyturn, environment, async () => {
    expect(await keyturn.run(['credential', 'show', 'lean/sandbox'])).toMatchObject({ code: 0 });
  });
  expect(await keyturn.run(['store', 'verify'], environment)).toMatchObject({ code: 0 });
});

test('another key, another Vault, a token that may not and none at all are each told, with what to do', async () => {
  expect(await keyturn.run(INIT, environment)).toMatchObject({ code: 0 });
  const start = (more: Record<string, string>) => keyturn.refusal(['server'], { ...environment, ...more });
  expect(await start({ VAULT_ADDR: 'https://127.0.0.1:1' })).toMatchObject({
    exit: 6,
    message: expect.stringContaining('ECONNREFUSED'),
    fix: expect.stringContaining('Nobody listens at 127.0.0.1:1'),
  });
  expect(await start({ VAULT_TOKEN: await server.token(['second']) })).toMatchObject({
    exit: 6,
    fix: expect.stringMatching(/\S/),
  });
  const { VAULT_ADDR: _, ...rest } = environment;
  expect(await keyturn.refusal(['server'], rest)).toMatchObject({
    code: 'config_invalid',
    fix: expect.stringContaining('VAULT_ADDR'),
  });

  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    keystore: {
      path: 'keys/keys.ktn',
      'master-key': { 'vault-transit': { key: 'second', 'wrapped-file': wrapped() } },
    },
  }));
  const other = { VAULT_TOKEN: await server.token(['second']) };
  expect(await start(other)).toMatchObject({ code: 'master_key_wrong', fix: expect.stringContaining('transit key') });
});

test('doctor unwraps it, and tells what stands in the way', async () => {
  expect(await keyturn.run(INIT, environment)).toMatchObject({ code: 0 });
  const of = async (more: Record<string, string> = {}) => {
    const { out } = await keyturn.run(['doctor', '--json'], { ...environment, ...more });
    const { checks } = JSON.parse(out) as { checks: Check[] };
    return checks.filter(({ name }) => /^key store (?:master key|content)/.test(name));
  };
  expect((await of()).filter(({ verdict }) => verdict === 'broken')).toEqual([]);
  expect((await of()).map(({ name }) => name)).toContain('key store master key unwrapping');
  expect((await of({ VAULT_TOKEN: await server.token(['second']) })).at(-1)).toMatchObject({
    name: 'key store master key unwrapping',
    verdict: 'broken',
    fix: expect.stringContaining('path "transit/decrypt/keyturn" { capabilities = ["update"] }'),
  });
  expect((await of({ VAULT_ADDR: 'https://127.0.0.1:1' })).at(-1)).toMatchObject({
    name: 'key store master key server',
    verdict: 'broken',
  });
});

test('an init that Vault lets wrap but not unwrap leaves nothing behind, here or elsewhere', async () => {
  await server.policy('encrypt-only', 'path "transit/encrypt/keyturn" { capabilities = ["update"] }');
  const token = { VAULT_TOKEN: await server.token(['encrypt-only']) };
  const elsewhere = keyturn.path('wrapped-elsewhere');
  const refusal = await keyturn.refusal([...INIT, '--wrapped-file', elsewhere], { ...environment, ...token });
  expect(refusal).toMatchObject({ exit: 6, code: 'keystore_unavailable' });
  expect(await readdir(keyturn.home)).toEqual([]);
  expect(existsSync(elsewhere)).toBe(false);
  expect(await keyturn.run([...INIT, '--wrapped-file', elsewhere], environment)).toMatchObject({ code: 0 });
});

test('a rotation to another transit key: the way to Vault stays as it is written, the old wrapping opens nothing', async () => {
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
  const rotate = (key: string, file: string) => [
    'store',
    'rotate-master-key',
    '--new-vault-transit-key',
    key,
    '--new-wrapped-file',
    keyturn.path(file),
  ];
  await whileServing(keyturn, {}, async () => {
    const inUse = await keyturn.refusal(rotate('keyturn', 'first'), environment);
    expect(inUse).toMatchObject({ code: 'keystore_in_use' });
  });
  expect(existsSync(keyturn.path('first'))).toBe(false);
  const down = { ...environment, VAULT_ADDR: 'https://127.0.0.1:1' };
  expect(await keyturn.refusal(rotate('keyturn', 'first'), down)).toMatchObject({ exit: 6 });
  expect(await keyturn.run(['store', 'verify'])).toMatchObject({ code: 0 });

  expect(await keyturn.run(rotate('keyturn', 'first'), environment)).toMatchObject({ code: 0 });
  const config = join(keyturn.home, 'keyturn.yaml');
  await edit(config, (content) => {
    const { path, 'master-key': master } = content['keystore'] as {
      path: string;
      'master-key': Record<string, object>;
    };
    const address = { ...master['vault-transit'], address: server.url };
    return { ...content, keystore: { path, 'master-key': { 'vault-transit': address } } };
  });
  const { VAULT_ADDR: _, ...rest } = environment;
  const both = { ...rest, VAULT_TOKEN: await server.token(['keyturn', 'second']) };
  expect(await keyturn.refusal(rotate('second', 'first'), both)).toMatchObject({ exit: 5, code: 'conflict' });
  expect(await keyturn.run(rotate('second', 'second'), both)).toMatchObject({ code: 0 });
  expect(readFileSync(config, 'utf8')).toContain(`address: ${server.url}`);
  expect(await keyturn.run(['store', 'verify'], both)).toMatchObject({ code: 0 });

  await edit(config, (content) => ({
    ...content,
    keystore: {
      path: 'keys/keys.ktn',
      'master-key': { 'vault-transit': { key: 'keyturn', 'wrapped-file': keyturn.path('first') } },
    },
  }));
  expect(await keyturn.refusal(['store', 'verify'], environment)).toMatchObject({ code: 'master_key_wrong' });
});

test.each([
  ['two keys that wrap', [...INIT, '--aws-kms-key', 'alias/keyturn']],
  ['a file for a wrapped key, and nothing that wraps', ['init', '--admin', 'alice', '--wrapped-file', 'w']],
  ['a rotation without a file', ['store', 'rotate-master-key', '--new-vault-transit-key', 'keyturn']],
  ['a rotation to two keys', ['store', 'rotate-master-key', '--new-vault-transit-key', 'k', '--new-passphrase']],
  ['a rotation with a file alone', ['store', 'rotate-master-key', '--new-wrapped-file', 'w']],
])('%s is refused before anything is done', async (_, args) => {
  expect(await keyturn.refusal(args, environment)).toMatchObject({
    exit: 2,
    code: 'invalid_input',
    fix: expect.stringMatching(/\S/),
  });
  expect(existsSync(keyturn.home)).toBe(false);
});
