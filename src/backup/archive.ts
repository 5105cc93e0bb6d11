import { createHash } from 'node:crypto';
import { damaged } from './damage.ts';
import { type BackupFile, MAX_NOTE_OCTETS, type Manifest, parseManifest, unverifiedText } from './manifest.ts';

type Octets = AsyncIterable<Buffer>;
const LENGTH_OCTETS = 4;

/** The plaintext of a backup: the length of the signed manifest, the manifest, the files' octets in its order. */
export async function* writeArchive(note: string, contents: Octets): AsyncGenerator<Buffer> {
  const text = Buffer.from(note, 'utf8');
  const length = Buffer.alloc(LENGTH_OCTETS);
  length.writeUInt32BE(text.length);
  yield Buffer.concat([length, text]);
  yield* contents;
}

export interface Unpacked {
  /** Signed note, not verified yet. */
  readonly note: string;
  readonly manifest: Manifest;
}

/** Where the files of an archive go, one after the other. */
export type Sink = (file: BackupFile, octets: Octets) => Promise<void>;

/**
 * Reads an archive (attacker-controlled) to its end, and gives each file to `sink`. Each has the size and the digest
 * that the manifest says, and nothing follows the last: until this resolves nothing of it counts.
 * @throws KeyturnError `backup_invalid`.
 */
export async function readArchive(plaintext: Octets, sink: Sink): Promise<Unpacked> {
  const reader = new Reader(plaintext);
  const length = (await reader.whole(LENGTH_OCTETS)).readUInt32BE();
  if (length > MAX_NOTE_OCTETS) throw damaged('its manifest is too long');
  const note = (await reader.whole(length)).toString('utf8');
  const manifest = parseManifest(unverifiedText(note));
  for (const file of manifest.files) {
    const digest = createHash('sha256');
    await sink(file, hashed(reader.octets(file.size), digest));
    if (digest.digest('hex') !== file.sha256) throw damaged(`${file.name} is not what its manifest says`);
  }
  if (!(await reader.atEnd())) throw damaged('something follows its last file');
  return { note, manifest };
}

async function* hashed(octets: Octets, digest: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const piece of octets) {
    digest.update(piece);
    yield piece;
  }
}

/** Takes octets off a stream in pieces as they come. */
class Reader {
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(chunks: Octets) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Exactly `size` octets, as they come. @throws KeyturnError `backup_invalid` when there are fewer. */
  async *octets(size: number): AsyncGenerator<Buffer> {
    for (let wanted = size; wanted > 0; ) {
      if (this.#left.length === 0 && !(await this.#fetch())) throw damaged('it ends within a file');
      const piece = this.#left.subarray(0, wanted);
      this.#left = this.#left.subarray(piece.length);
      wanted -= piece.length;
      yield piece;
    }
  }

  async whole(size: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.octets(size)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async atEnd(): Promise<boolean> {
    return this.#left.length === 0 && !(await this.#fetch());
  }

  /** False at the end. */
  async #fetch(): Promise<boolean> {
    while (this.#left.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#left = next.value;
    }
    return true;
  }
}
