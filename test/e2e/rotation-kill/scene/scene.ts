import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initInstance } from '../../../../src/compose/init.ts';
import { cannotAsk } from '../../../../src/compose/master-key.ts';
import { type Partner, startPartner } from '../../../fakes/partner/partner.ts';
import { PostgresCluster } from '../../../fakes/postgres/cluster.ts';
import { edit } from '../../instance.ts';
import { startRemoteAws } from '../../stores/remote-aws.ts';
import type { RemoteStore } from '../../stores/remote-store.ts';
import { startRemoteVault } from '../../stores/remote-vault.ts';
import type { Maker } from '../ways.ts';
import { PkiEngine } from './pki-engine.ts';
import { SigningDesk } from './signing-desk.ts';

/** Name of the issuer that is not a person. */
export const ISSUER = 'internal';

export type StoreKind = 'file' | 'vault' | 'aws';
export type LedgerKind = 'sqlite' | 'postgres';

/** What an instance is set up with. */
export interface Setting {
  readonly maker: Maker;
  /** Most certificates that the partner accepts at once. */
  readonly live: 1 | 2;
  /** Where the credential's keys rest. */
  readonly store: StoreKind;
  readonly ledger: LedgerKind;
}

/** An instance's folder, with everything around it that it needs. */
export interface Scene extends AsyncDisposable {
  readonly home: string;
  readonly access: { readonly ca: string; readonly token: string };
  readonly partner: Partner;
  /** Where certificates come from, if not from people or our own authority. */
  readonly engine: PkiEngine | null;
  readonly signers: SigningDesk | null;
}

export async function setScene(setting: Setting): Promise<Scene> {
  const { maker, live, store, ledger } = setting;
  await using undo = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'keyturn-rotation-kill-'));
  undo.defer(() => rm(home, { recursive: true, force: true }));
  const cluster = ledger === 'postgres' ? undo.use(await PostgresCluster.start()) : null;
  const postgres = cluster === null ? {} : { postgres: await databaseOf(cluster) };
  await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk, ...postgres });
  const onlyNewest = maker === 'portal' && live === 1;
  const partner = undo.use(await startPartner({ switches: { refuseBy: 'status', onlyNewest } }));
  const remote = await remoteStore(store);
  if (remote !== null) undo.use(remote);
  const engine = maker === 'pki' ? undo.use(await PkiEngine.start()) : null;
  const signers = maker === 'csr' ? await SigningDesk.open(partner, live === 1) : null;
  await configure(home, setting, { partner, remote, engine });
  const access = {
    ca: await readFile(join(home, 'listener', 'ca.crt'), 'utf8'),
    token: await readFile(join(home, 'admin', 'token'), 'utf8'),
  };
  const parts = undo.move();
  return { home, access, partner, engine, signers, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

async function databaseOf(cluster: PostgresCluster) {
  const { host, port = 0, database, user, passwordFile = '' } = await cluster.database();
  return { host, port, database, user, 'password-file': passwordFile };
}

function remoteStore(kind: StoreKind): Promise<RemoteStore | null> {
  if (kind === 'vault') return startRemoteVault();
  return kind === 'aws' ? startRemoteAws() : Promise.resolve(null);
}

/** A busy machine is not to look like a store that is down. */
const PATIENT = { vault: { 'timeout-ms': 5_000 }, aws: { 'connect-ms': 3_000, 'attempt-ms': 5_000, 'call-ms': 8_000 } };

async function configure(
  home: string,
  setting: Setting,
  { partner, remote, engine }: Pick<Scene, 'partner' | 'engine'> & { readonly remote: RemoteStore | null },
): Promise<void> {
  const issuer = engine === null ? { kind: 'local', store: 'file' } : await engine.configure(home);
  const stores =
    remote === null ? {} : { [remote.kind]: { ...(await remote.configure(home)), ...PATIENT[remote.kind] } };
  await edit(join(home, 'keyturn.yaml'), (config) => ({
    ...config,
    issuers: { [ISSUER]: issuer },
    ...(remote === null ? {} : { stores, 'default-store': remote.kind }),
  }));
  await edit(join(home, 'policies', 'access', 'bindings.yaml'), ({ bindings }) => ({
    bindings: [
      ...(bindings as object[]),
      { id: 'alice-service', role: 'service', principals: ['person:alice'], credentials: ['lean/*'], comment: 'test' },
    ],
  }));
  await writeFile(join(home, 'policies', 'partners', 'server.pem'), partner.chainPem);
  await edit(join(home, 'policies', 'partners', 'lean.yaml'), (profile) => profileOf(profile, setting, partner));
}

function profileOf(profile: Record<string, unknown>, { maker, live }: Setting, { mtlsUrl }: Partner): object {
  const { sandbox = {} } = profile['environments'] as Record<string, Record<string, unknown>>;
  const { companions: _companions, ...rest } = sandbox;
  const request = { subject: [{ type: 'CN', value: 'payments.acme.example' }] };
  const own = maker === 'portal' ? {} : { key: 'keyturn', issuer: maker === 'csr' ? 'manual' : ISSUER, request };
  return {
    ...profile,
    environments: {
      sandbox: {
        ...rest,
        endpoints: [{ url: mtlsUrl, mtls: true }],
        serverTrust: { mode: 'pinned', file: 'server.pem' },
        issuance: { ...(sandbox['issuance'] as object), live, ...own },
        revocation: {
          by: maker === 'local' || maker === 'pki' ? 'issuer' : 'asking',
          contact: 'support',
          propagation: '1s',
        },
        test: { endpoint: mtlsUrl, path: '/whoami' },
      },
    },
  };
}
