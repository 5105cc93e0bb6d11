import { readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Check } from '../../../src/core/check.ts';
import { edit, type TestInstance } from '../../e2e/instance.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { type Keyturn, served } from '../keyturn.ts';

const POLICY = readFileSync(fileURLToPath(new URL('../../../policies/vault/keyturn.hcl', import.meta.url)), 'utf8');

let server: OpenBao;
let instance: TestInstance;
let keyturn: Keyturn;
let stop: () => Promise<void>;

beforeAll(async () => {
  [server, { instance, keyturn, stop }] = await Promise.all([OpenBao.start(), served()]);
  await server.policy('keyturn', POLICY);
  const token = await server.token(['keyturn'], { ttl: '1h', renewable: true });
  for (const secret of [token, server.rootToken]) keyturn.guard(secret);
  const login = { method: 'token-file', file: await keyturn.write('vault-token', `${token}\n`) };
  const tls = { ca: await keyturn.write('vault-ca.pem', server.ca.certificatePem) };
  await edit(join(instance.home, 'keyturn.yaml'), (config) => ({
    ...config,
    stores: {
      vault: { kind: 'vault', address: server.url, tls, login },
      down: { kind: 'vault', address: 'https://127.0.0.1:1', tls, login },
    },
  }));
  await instance.restart();
});
afterAll(async () => {
  await stop();
  await server[Symbol.asyncDispose]();
});

async function checks(args: readonly string[]): Promise<{ code: number | null; found: Check[] }> {
  const { code, out } = await keyturn.run(['doctor', ...args, '--json'], { VAULT_TOKEN: 'hvs.CANARY-of-the-shell' });
  expect(out).not.toContain('CANARY');
  return { code, found: (JSON.parse(out) as { checks: Check[] }).checks };
}

test('every store is examined under its name; one that is down is broken, and not required for the server', async () => {
  const { code, found } = await checks([]);
  expect(code).toBe(1);
  const of = (name: string) => found.filter((check) => check.name.startsWith(name));
  expect(of('store vault ').map(({ name, verdict }) => [name, verdict])).toEqual(
    ['settings', 'server', 'login', 'mount', 'policy'].map((part) => [`store vault ${part}`, 'ok']),
  );
  expect(of('store down ').filter(({ verdict }) => verdict === 'broken')).toMatchObject([
    { name: 'store down server', evidence: expect.stringContaining('ECONNREFUSED') },
  ]);
  expect(of('server’s store ')).toMatchObject([
    { name: 'server’s store file', verdict: 'ok', evidence: 'ready (required)' },
    { name: 'server’s store vault', verdict: 'ok', evidence: 'ready (not required)' },
    { name: 'server’s store down', verdict: 'attention', evidence: expect.stringContaining('not required') },
  ]);
});

test('a token file that others can read is taken, and told with the command that closes it', async () => {
  await chmod(keyturn.path('vault-token'), 0o644);
  const { found } = await checks([]);
  await chmod(keyturn.path('vault-token'), 0o600);
  expect(found.filter(({ name }) => name === 'store vault login file')).toMatchObject([
    { verdict: 'attention', fix: expect.stringContaining(`chmod 600 ${keyturn.path('vault-token')}`) },
  ]);
  expect(found).toContainEqual(expect.objectContaining({ name: 'store vault login', verdict: 'ok' }));
});

test('a write test is made only when it is asked for', async () => {
  const written = async () => {
    const audit = readFileSync(server.process.auditFile, 'utf8');
    return audit.split('\n').filter((line) => line.includes('"path":"secret/data/keyturn/doctor/probe/')).length;
  };
  await checks([]);
  expect(await written()).toBe(0);
  const { found } = await checks(['--write-test']);
  expect(found).toContainEqual({
    name: 'store vault write test',
    verdict: 'ok',
    evidence: 'a record was written, read back and destroyed',
    fix: '',
  });
  expect(found.filter(({ name }) => name === 'store down write test')).toEqual([]);
  expect(await written()).toBeGreaterThan(0);
});
