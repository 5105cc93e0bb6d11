import { hash } from 'node:crypto';
import type { LogSigner } from '../../../src/audit/checkpoint.ts';
import { readArchive, writeArchive } from '../../../src/backup/archive.ts';
import { type Manifest, manifestText } from '../../../src/backup/manifest.ts';
import { decryptBackup, encryptBackup } from '../../../src/backup/stream.ts';
import type { X25519KeyPair } from '../../../src/sealed/x25519.ts';
import { piecesOf, whole } from '../../backup/octets.ts';

/** What is changed in the files, by their names; gives who signs the result. */
export type Change = (files: Map<string, Buffer>, manifest: Manifest) => Promise<LogSigner>;

/** A backup unpacked, changed by somebody who can encrypt to the recipient, and packed again. */
export async function repacked(backup: Buffer, identity: X25519KeyPair, change: Change): Promise<Buffer> {
  const files = new Map<string, Buffer>();
  const opened = decryptBackup(piecesOf(backup), identity.privateKey);
  const { manifest } = await readArchive(opened, async ({ name }, octets) => void files.set(name, await whole(octets)));
  const by = await change(files, manifest);
  const entries = [...files].map(([name, octets]) => ({
    name,
    size: octets.length,
    sha256: hash('sha256', octets, 'hex'),
  }));
  const note = by.signText(manifestText({ ...manifest, files: entries }));
  const archive = writeArchive(note, piecesOf(Buffer.concat([...files.values()])));
  return whole(encryptBackup(archive, identity.publicKey));
}
