import { KeyturnError } from '../../../core/errors.ts';
import { type FileIdentity, identityOf } from './identity.ts';
import { errno, type Ownership, openPrivateFile } from './owner-only.ts';

/** A file, its content, and which file it was when that was read or written. */
export interface FileContent {
  readonly octets: Buffer;
  readonly identity: FileIdentity;
}

export interface ReadOptions {
  /** Larger files are refused before memory is taken for them. */
  readonly maxOctets: number;
  readonly ownership?: Ownership;
}

/**
 * A private file's octets, in a buffer of their own which the caller may wipe.
 * @throws KeyturnError `keystore_corrupt` when it is larger than allowed, `keystore_insecure`, `not_found`,
 *   `keystore_unavailable`.
 */
export async function readWhole(path: string, options: ReadOptions): Promise<FileContent> {
  await using handle = await openPrivateFile(path, options.ownership);
  try {
    const stats = await handle.stat({ bigint: true });
    const size = Number(stats.size);
    if (size > options.maxOctets) {
      throw new KeyturnError(
        'keystore_corrupt',
        `${path} has ${size} octets; at most ${options.maxOctets} can be right.`,
      );
    }
    const octets = Buffer.allocUnsafeSlow(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await handle.read(octets, at, size - at, at);
      if (bytesRead === 0) throw new KeyturnError('keystore_corrupt', `${path} became shorter while it was read.`);
      at += bytesRead;
    }
    return { octets, identity: identityOf(stats) };
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('keystore_unavailable', `${path} can't be read (${errno(error)}).`);
  }
}
