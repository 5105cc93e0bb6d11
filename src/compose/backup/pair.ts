import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { BackupFile, BackupStore } from '../../backup/manifest.ts';
import { KeyturnError } from '../../core/errors.ts';
import { storePlace } from '../../credential/store/store-queue.ts';
import { isPortable } from '../../keystore/driver.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { SignedHead } from '../../ledger/log/proof.ts';
import { canSnapshot } from '../../ledger/snapshot.ts';
import { CONFIG_FILE, type Config } from '../config.ts';
import type { Instance } from '../open.ts';
import type { MasterKey } from '../settings/master-key.ts';
import { OWN_STORE } from '../settings/stores.ts';
import { copyPrefix, removeLeftovers } from './leftovers.ts';

/** Of one policy or profile file; their loaders take no larger ones. */
const MAX_SMALL_FILE = 1024 * 1024;

/** One file of a backup with its octets: in memory, or on disk where it may be large. */
export interface Content extends BackupFile {
  readonly from: Buffer | { readonly path: string };
}

/** Everything that goes into a backup, as of one state. */
export interface Pair extends AsyncDisposable {
  readonly head: SignedHead;
  readonly stores: readonly BackupStore[];
  readonly contents: readonly Content[];
}

/**
 * Copies ledger and key stores as one pair. No write to a store is under way meanwhile, so the stores hold exactly what
 * the ledger's copy says; leases, renewals and freezes go on. The copy of the ledger lies in a folder of its own
 * (mode 0700) until the pair is disposed of; what a killed process left of one is removed first.
 * @throws KeyturnError `config_invalid` for a ledger that can't copy itself; `ledger_unavailable`, `keystore_unavailable`.
 */
export async function copyPair({ config, desk }: Instance): Promise<Pair> {
  const { ledger } = desk;
  if (!canSnapshot(ledger)) {
    throw new KeyturnError('config_invalid', 'The ledger of this instance does not copy itself.', {
      fix: 'Back it up with the tools of where it is, and the key store file beside it.',
    });
  }
  await removeLeftovers(config);
  const folder = await mkdtemp(copyPrefix(config));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'ledger.db');
  const stores = [...desk.stores.values()];
  const { head, sealed } = await desk.storeQueue.run(
    stores.map(({ name }) => storePlace(name)),
    async () => ({
      head: await ledger.snapshot(path),
      sealed: await Promise.all(stores.map(sealedStore)),
    }),
  );
  const contents = [
    ...(await configFiles(config)),
    ...sealed.flatMap(({ content }) => content),
    { name: 'ledger', size: (await stat(path)).size, sha256: await digestOf(path), from: { path } },
  ];
  const kept = undo.move();
  return { head, stores: sealed.map(({ store }) => store), contents, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function sealedStore(store: KeyStore): Promise<{ store: BackupStore; content: Content[] }> {
  const { name, driver } = store;
  if (!isPortable(driver)) return { store: { store: name, kind: 'external', generation: null }, content: [] };
  const attested = await store.attest();
  const octets = await driver.snapshot();
  const file = name === OWN_STORE ? 'keystore' : `stores/${name}`;
  return {
    store: { store: name, kind: 'file', generation: attested?.generation ?? null },
    content: [inMemory(file, octets)],
  };
}

/** Configuration, CA certificate, rules, and master keys that only Vault or AWS can unwrap. Never a master key. */
async function configFiles(config: Config): Promise<Content[]> {
  const wrapped = [
    { name: OWN_STORE, masterKey: config.masterKey },
    ...config.stores.flatMap((setting) => (setting.kind === 'file' ? [setting] : [])),
  ];
  return [
    inMemory('config', await readFile(join(config.home, CONFIG_FILE))),
    ...('ca' in config.certificate ? [inMemory('listener-ca', await readFile(config.certificate.ca))] : []),
    ...(await folderFiles('access', config.accessPolicies)),
    ...(await folderFiles('partners', config.partnerProfiles)),
    ...(await Promise.all(wrapped.map(wrappedKey))).flat(),
  ];
}

async function wrappedKey({ name, masterKey }: { name: string; masterKey: MasterKey }): Promise<Content[]> {
  const wrapped =
    'vault-transit' in masterKey ? masterKey['vault-transit'] : 'aws-kms' in masterKey ? masterKey['aws-kms'] : null;
  return wrapped === null ? [] : [inMemory(`wrapped/${name}`, await readFile(wrapped.wrappedFile))];
}

/** What the loaders may read: no hidden files, nothing over their own limit. */
async function folderFiles(place: 'access' | 'partners', folder: string): Promise<Content[]> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((name) => name.split(sep).every((part) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(part)));
  const read = names.toSorted().map(async (name) => {
    const path = join(folder, name);
    if ((await stat(path)).size > MAX_SMALL_FILE) return [];
    return [inMemory(`${place}/${name.replaceAll(sep, '/')}`, await readFile(path))];
  });
  return (await Promise.all(read)).flat();
}

function inMemory(name: string, octets: Buffer): Content {
  return { name, size: octets.length, sha256: createHash('sha256').update(octets).digest('hex'), from: octets };
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  await using file = await open(path, 'r');
  for await (const piece of file.createReadStream({ autoClose: false })) digest.update(piece as Buffer);
  return digest.digest('hex');
}

/** The octets of every file in order; the large one is read as it goes. */
export async function* octetsOf(contents: readonly Content[]): AsyncGenerator<Buffer> {
  for (const { from } of contents) {
    if (Buffer.isBuffer(from)) yield from;
    else for await (const piece of createReadStream(from.path)) yield piece as Buffer;
  }
}
