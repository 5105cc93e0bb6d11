import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../../src/compose/open.ts';
import type { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { isPublishing } from '../../../src/issuer/driver.ts';
import type { Issued, Issuer } from '../../../src/issuer/issuer.ts';
import { anIssuance } from '../../conformance/issuers/issuer.ts';
import { edit } from '../../e2e/instance.ts';
import { type Home, madeHome } from '../home.ts';

let home: Home;
const opened: Instance[] = [];

beforeEach(async () => {
  home = await madeHome();
});

afterEach(async () => {
  await closeAll();
  await home[Symbol.asyncDispose]();
});

async function configure(members: object): Promise<void> {
  await edit(join(home.path, 'keyturn.yaml'), (config) => ({ ...config, ...members }));
}

async function open(): Promise<Instance> {
  const instance = await openInstance(await loadConfig(home.path), { ask: cannotAsk });
  opened.push(instance);
  return instance;
}

async function closeAll(): Promise<void> {
  for (const instance of opened.splice(0)) await instance.close();
}

function named({ issuers }: Instance, name: string): Issuer {
  const issuer = issuers.get(name);
  if (issuer === undefined) throw new Error('There is no such issuer.');
  return issuer;
}

async function authorityOf(instance: Instance): Promise<string> {
  const { driver } = named(instance, 'internal');
  if (!isPublishing(driver)) throw new Error('It publishes nothing.');
  return driver.authority();
}

test('without any configuration there is the issuer that is a person', async () => {
  const instance = await open();
  expect([...instance.issuers.keys()]).toEqual(['manual']);
  expect(named(instance, 'manual').can.answers).toBe('awaited');
});

test('an issuer that is down does not keep the instance from starting, and says so when it is asked', async () => {
  const vault = {
    kind: 'vault-pki',
    address: 'http://127.0.0.1:1',
    login: { method: 'token-file', file: 'admin/token' },
  };
  await configure({ issuers: { vault } });
  const issuer = named(await open(), 'vault');
  expect(await issuer.check()).toMatchObject({ ready: false });
  await expect(issuer.issue(await anIssuance())).rejects.toMatchObject({
    code: 'issuer_unavailable',
    facts: { certain: true },
  });
});

test('what makes no issuer refuses the start, and names it', async () => {
  await configure({ issuers: { vault: { kind: 'vault-pki', address: 'https://vault.internal:8200', role: 'a/b' } } });
  await expect(open()).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('vault') });
});

test('an authority is the same after a restart, and so is what it has issued', async () => {
  await configure({ issuers: { internal: { kind: 'local', 'common-name': 'Acme clients' } } });
  const first = await open();
  const asked = await anIssuance();
  const { certificate, mismatches } = (await named(first, 'internal').issue(asked)) as Issued;
  expect(mismatches).toEqual([]);
  expect(certificate.issuer).toBe('CN=Acme clients');
  const authority = await authorityOf(first);
  await closeAll();
  const second = await open();
  expect(await authorityOf(second)).toBe(authority);
  expect(await named(second, 'internal').find(asked.request.spki)).toMatchObject([
    { certificate: { fingerprint: certificate.fingerprint }, revoked: false },
  ]);
});

test('a process that ends between the authority’s key and its certificate starts again, with that key', async () => {
  await configure({ issuers: { internal: { kind: 'local' } } });
  const first = await open();
  const { driver } = first.store;
  const write = driver.write.bind(driver);
  driver.write = async (record: string, octets: SecretBytes) => {
    await write(record, octets);
    throw new Error('struck');
  };
  await expect(authorityOf(first)).rejects.toMatchObject({ code: 'issuer_unavailable' });
  await closeAll();
  const second = await open();
  expect((await second.store.list()).filter((record) => record.startsWith('issuers/'))).toEqual(['issuers/internal/1']);
  const authority = await authorityOf(second);
  await closeAll();
  expect(await authorityOf(await open())).toBe(authority);
});

test('the authority’s key goes where new keys go, and stays there when that changes', async () => {
  const archive = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };
  const issuers = { internal: { kind: 'local' } };
  await configure({ stores: { archive }, 'default-store': 'archive', issuers });
  const first = await open();
  const authority = await authorityOf(first);
  expect(await first.desk.stores.get('archive')?.list()).toEqual(['issuers/internal/1']);
  await closeAll();
  await configure({ 'default-store': 'file' });
  const second = await open();
  expect(await authorityOf(second)).toBe(authority);
  expect(await named(second, 'internal').issue(await anIssuance())).toMatchObject({ kind: 'issued', mismatches: [] });
});

test('what is asked of an issuer is told, and when a PKI engine is left alone', async () => {
  const login = { method: 'token-file', file: 'admin/token' };
  await configure({ issuers: { vault: { kind: 'vault-pki', address: 'http://127.0.0.1:1', login } } });
  const calls: string[] = [];
  const circuits: string[] = [];
  const issuerObserver = {
    call: (issuer: string, verb: string, ok: boolean) => calls.push(`${issuer} ${verb} ${ok}`),
    circuit: (issuer: string, circuit: string) => circuits.push(`${issuer} ${circuit}`),
  };
  const instance = await openInstance(await loadConfig(home.path), { ask: cannotAsk, issuerObserver });
  opened.push(instance);
  for (let call = 0; call < 6; call += 1) {
    await expect(named(instance, 'vault').find('0'.repeat(64))).rejects.toMatchObject({ code: 'issuer_unavailable' });
  }
  expect(new Set(calls)).toEqual(new Set(['vault find false']));
  expect(circuits).toEqual(['vault closed', 'vault open']);
});
