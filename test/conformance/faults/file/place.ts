import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { createFileStore, openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { keyFile } from '../../../../src/keystore/file/master/key-file.ts';
import type { MasterKeySource } from '../../../../src/keystore/file/master/source.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import { CANARY, STANDING, type StoreUnderFault, storeHere } from '../cell.ts';
import { type Held, heldBy } from '../held.ts';
import type { Fault } from '../table.ts';

/** A store file in a folder of its own. */
export interface FilePlace {
  readonly folder: string;
  readonly path: string;
  readonly masterPath: string;
  /** The file before record 1 was written: an older copy of the same store. */
  readonly older: Buffer;
  /** What a fault put in the file's place; null while it did not. */
  planted: Buffer | null;
  /** Before the path, where the file lies on a file system of another process. */
  seenThrough: string;
}

export type FileFault = Fault<FilePlace>;

/** Folder of all places, and the master key that all share, on another one. */
export interface FileStage {
  readonly root: string;
  readonly masterPath: string;
  readonly master: MasterKeySource;
  readonly masterOctets: Buffer;
}

export function makeFileStage(): FileStage {
  const root = mkdtempSync(join(tmpdir(), 'keyturn-faults-'));
  const masterPath = join(root, 'master.key');
  const masterOctets = randomBytes(32);
  writeFileSync(masterPath, masterOctets, { mode: 0o600 });
  return { root, masterPath, master: keyFile(masterPath), masterOctets };
}

export async function prepareIn({ root, masterPath, master }: FileStage): Promise<FilePlace> {
  const folder = mkdtempSync(join(root, 'cell-'));
  const path = join(folder, 'keys.ktn');
  const store = await createFileStore({ path, master });
  const older = readFileSync(path);
  using octets = SecretBytes.copyOf(CANARY);
  await store.write(STANDING, octets);
  await store.close();
  return { folder, path, masterPath, older, planted: null, seenThrough: '' };
}

export function openHere({ path }: FilePlace, master: MasterKeySource): StoreUnderFault {
  return storeHere(() => keyStoreAdapters.file({ path, master }), 5_000);
}

/** By a copy on a good disk, so that nothing that was done to file or folder is in the way. */
export async function heldIn(stage: FileStage, place: FilePlace): Promise<Held> {
  const at = `${place.seenThrough}${place.path}`;
  if (!existsSync(at)) return ['no file'];
  const folder = mkdtempSync(join(stage.root, 'look-'));
  const path = join(folder, 'keys.ktn');
  copyFileSync(at, path);
  chmodSync(path, 0o600);
  try {
    const store = await openFileStore({ path, master: stage.master });
    try {
      return await heldBy(store);
    } finally {
      await store.close();
    }
  } catch {
    return [place.planted?.equals(readFileSync(path)) === true ? 'damage as planted' : 'another damage'];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Puts octets in the file's place, behind the store's back. */
export function plant(place: FilePlace, octets: Buffer): void {
  place.planted = octets;
  writeFileSync(place.path, octets, { mode: 0o600 });
}
