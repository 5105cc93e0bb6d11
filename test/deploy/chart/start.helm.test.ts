import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig, parseConfig } from '../../../src/compose/config.ts';
import { initInstance } from '../../../src/compose/init.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { serve } from '../../../src/compose/serve.ts';
import { ServerLog } from '../../../src/server/log/server-log.ts';
import { TestCa } from '../../fakes/ca.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { run } from '../../fakes/programs.ts';
import { configOf, podOf } from './pod.ts';
import { NAMESPACE, type Resource, render, SETS } from './render.ts';

/** What each set of values names. */
const ISSUERS: Readonly<Record<string, readonly string[]>> = {
  aws: ['acme aws-pca'],
  one: [],
  vault: ['acme vault-pki', 'internal local'],
};

test.each(SETS)('with the values %s the server takes the keyturn.yaml', async (set) => {
  const config = parseConfig('/var/lib/keyturn', configOf(await render(set)), 'keyturn.yaml');
  expect(config.ledger).toMatchObject({ postgres: { host: expect.any(String), database: expect.any(String) } });
  expect(config.defaultStore).not.toBe('file');
  expect(config.stores.map(({ name }) => name)).toContain(config.defaultStore);
  expect(config.issuers.map(({ name, kind }) => `${name} ${kind}`)).toEqual(ISSUERS[set]);
  for (const path of [config.keystore, config.socket]) expect(path).toMatch(/^\/var\/lib\/keyturn\/(?:private|run)\//);
  expect(config.journal).toMatch(/^\/var\/lib\/keyturn\/state\//);
  expect(config.listen).toMatchObject({ host: '0.0.0.0', port: 8443 });
});

test('connection files name the Service, then each server, for a freeze must reach every one', async () => {
  const config = parseConfig('/var/lib/keyturn', configOf(await render('vault')), 'keyturn.yaml');
  const pods = [0, 1, 2].map((n) => `keyturn-${n}.keyturn-pods.${NAMESPACE}.svc`);
  expect(config.urls).toEqual([`https://keyturn.${NAMESPACE}.svc:8443`, ...pods.map((pod) => `https://${pod}:8443`)]);
  for (const url of config.urls ?? []) expect(config.listen.names).toContain(new URL(url).hostname);
  const own = parseConfig('/var/lib/keyturn', configOf(await render('aws')), 'keyturn.yaml');
  expect(own.urls).toEqual(['https://keyturn.internal']);
});

/** As the kubelet lays out a ConfigMap or Secret: links to files in a folder that a link names. */
async function mountAsLinks(path: string, files: Readonly<Record<string, Buffer>>): Promise<void> {
  await mkdir(join(path, '..2026_01_01'), { recursive: true });
  await symlink('..2026_01_01', join(path, '..data'));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(path, '..2026_01_01', name), content, { mode: 0o444 });
    await symlink(join('..data', name), join(path, name));
  }
}

async function filesOf(folder: string): Promise<Record<string, Buffer>> {
  const names = await readdir(folder);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

let folder: string;
let home: string;
let resources: Resource[];
let cluster: PostgresCluster;
/** Where the database is, in place of what the values name. */
let place: { readonly host: string; readonly port: number; readonly database: string; readonly user: string };

beforeAll(async () => {
  const ca = await TestCa.create();
  cluster = await PostgresCluster.start({ tls: await ca.server({ dns: ['localhost'] }) });
  folder = await mkdtemp(join(tmpdir(), 'kt-pod-'));
  const made = join(folder, 'made');
  home = join(folder, 'home');
  resources = await render('vault');
  const origin = (parse(configOf(resources)) as { log: { origin: string } }).log.origin;
  const { database, user, passwordFile } = await cluster.database();
  place = { host: 'localhost', port: cluster.port, database, user };
  const root = join(folder, 'root.pem');
  await writeFile(root, ca.certificatePem);
  const postgres = { ...place, 'password-file': passwordFile ?? '', ca: root };
  await initInstance({ home: made, administrator: 'alice', port: 0, origin, ask: cannotAsk, postgres });
  await mountAsLinks(join(folder, 'in'), {
    'keys.ktn': await readFile(join(made, 'keys/keys.ktn')),
    'ca.crt': await readFile(join(made, 'listener/ca.crt')),
    'master.key': await readFile(join(made, 'master/master.key')),
    'postgres-password': await readFile(cluster.passwordFile),
    'postgres-ca.pem': Buffer.from(ca.certificatePem),
  });
  for (const kind of ['access', 'partners']) {
    await mountAsLinks(join(home, 'policies', kind), await filesOf(join(made, 'policies', kind)));
  }
  for (const volume of ['', 'state']) await chmod(await ensured(join(home, volume)), 0o2777);
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ensured(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}

/** The containers before the server's, one after the other. */
async function prepare(): Promise<void> {
  for (const { command = [] } of podOf(resources).initContainers) {
    const here = command.map((word) => word.replace(/^\/in\//, `${join(folder, 'in')}/`));
    const done = await run('env', ['-C', home, ...here]);
    expect(done).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  }
}

/** Serves what the chart has laid out, over the database of this test. */
async function serveOnce(): Promise<void> {
  const rendered = parse(configOf(resources)) as { listen: object; ledger: { postgres: object } };
  const text = stringify({
    ...rendered,
    ledger: { postgres: { ...rendered.ledger.postgres, ...place } },
    listen: { ...rendered.listen, host: '127.0.0.1', port: 0 },
  });
  await writeFile(join(home, 'keyturn.yaml'), text);
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  const serving = await serve(await loadConfig(home), { log: new ServerLog({ destination }) });
  await serving.stop();
}

test('what the init containers lay out is what the server takes, as from Secrets and ConfigMaps', async () => {
  await prepare();
  await serveOnce();
  expect((await stat(join(home, 'state/journal/freeze.journal'))).size).toBeGreaterThan(0);
});

test('it starts again in a new pod, on the old volume, whose modes the kubelet has opened to the group', async () => {
  for (const gone of ['private', 'run']) await rename(join(home, gone), join(folder, gone));
  const journal = join(home, 'state/journal/freeze.journal');
  await chmod(join(home, 'state/journal'), 0o2770);
  await chmod(journal, 0o660);
  await expect(serveOnce()).rejects.toThrow();
  await prepare();
  expect((await stat(journal)).mode & 0o777).toBe(0o600);
  await serveOnce();
});
