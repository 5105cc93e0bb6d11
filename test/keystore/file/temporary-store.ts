import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { FileStore } from '../../../src/keystore/file/driver.ts';
import { createFileStore, openFileStore } from '../../../src/keystore/file/file-store.ts';
import { keyFile } from '../../../src/keystore/file/master/key-file.ts';
import type { MasterKeySource } from '../../../src/keystore/file/master/source.ts';

/** A folder of mode 0700 that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-keystore-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A master key file of random octets in `folder`. */
export function masterIn(folder: string, name = 'master.key'): MasterKeySource {
  const path = join(folder, name);
  writeFileSync(path, randomBytes(32), { mode: 0o600 });
  return keyFile(path);
}

/** The given octets as a master key source, for stores that others made. */
export function masterOf(octets: Uint8Array): MasterKeySource {
  return { kind: 'key', description: 'test key', read: async () => SecretBytes.copyOf(octets) };
}

export interface TemporaryStore {
  readonly folder: string;
  readonly path: string;
  readonly master: MasterKeySource;
  /** The file's octets as they are now. */
  octets(): Buffer;
  /** Puts other octets in the file's place, behind the store's back. */
  put(octets: Uint8Array): void;
  open(): Promise<FileStore>;
}

/** A closed store with these records, in a folder of its own, locked with a key file beside that folder. */
export async function temporaryStore(
  records: Readonly<Record<string, Uint8Array>> = {},
  master?: MasterKeySource,
): Promise<TemporaryStore> {
  const parent = temporaryFolder();
  const folder = join(parent, 'store');
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, 'keys.ktn');
  const source = master ?? masterIn(parent);
  const store = await createFileStore({ path, master: source });
  for (const [name, octets] of Object.entries(records)) await store.write(name, SecretBytes.copyOf(octets));
  await store.close();
  return {
    folder,
    path,
    master: source,
    octets: () => readFileSync(path),
    put: (octets) => writeFileSync(path, octets, { mode: 0o600 }),
    open: async () => {
      const opened = await openFileStore({ path, master: source });
      onTestFinished(() => opened.close());
      return opened;
    },
  };
}

/** Reads a record into a plain buffer. */
export async function plain(
  store: { read(name: string): Promise<SecretBytes | null> },
  name: string,
): Promise<Buffer | null> {
  using octets = await store.read(name);
  return octets === null ? null : Buffer.from(octets.bytes);
}
