import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import type { X25519KeyPair } from '../sealed/x25519.ts';
import { damaged } from './damage.ts';
import { HEADER_OCTETS, openHeader, sealHeader } from './header.ts';

export const CHUNK_OCTETS = 65_536;
export const TAG_OCTETS = 16;
const SEALED_OCTETS = CHUNK_OCTETS + TAG_OCTETS;
const NONCE_OCTETS = 12;
const COUNTER_AT = 7;
const FLAG_AT = 11;
/** 2^32 chunks of 64 KiB; NIST SP 800-38D section 8.3 would allow no more under one key anyway. */
const MAX_CHUNKS = 2 ** 32;

type Octets = AsyncIterable<Buffer>;

/** Encrypts to one recipient (raw X25519 public key). One chunk is in memory. `fixed` is for the vectors alone. */
export async function* encryptBackup(
  plaintext: Octets,
  recipient: Buffer,
  fixed: { readonly contentKey?: Buffer; readonly ephemeral?: X25519KeyPair } = {},
): AsyncGenerator<Buffer> {
  const { header, streamKey } = sealHeader(recipient, fixed);
  yield header;
  for await (const { piece, index, last } of numbered(cut(plaintext, CHUNK_OCTETS))) {
    const cipher = createCipheriv('aes-256-gcm', streamKey, nonceOf(index, last), { authTagLength: TAG_OCTETS });
    const body = cipher.update(piece);
    cipher.final();
    yield Buffer.concat([body, cipher.getAuthTag()]);
  }
}

/**
 * Decrypts (attacker-controlled) chunk by chunk. What is given out is authentic and stands where it stood, but only
 * the end of the generator says that nothing is missing: until then a caller takes nothing for done.
 * @throws KeyturnError `backup_invalid`, `backup_identity_wrong`.
 */
export async function* decryptBackup(ciphertext: Octets, identity: KeyObject): AsyncGenerator<Buffer> {
  const source = new Source(ciphertext);
  const { streamKey } = openHeader(await source.take(HEADER_OCTETS), identity);
  for await (const { piece, index, last } of numbered(cut(source.rest(), SEALED_OCTETS))) {
    const plaintext = openChunk(streamKey, piece, nonceOf(index, last));
    if (plaintext === null) throw damaged(`part ${index} was changed, moved or cut off`);
    if (plaintext.length === 0 && index > 0) throw damaged('it ends in an empty part');
    yield plaintext;
  }
}

function openChunk(key: KeyObject, sealed: Buffer, nonce: Buffer): Buffer | null {
  if (sealed.length < TAG_OCTETS) return null;
  const tagAt = sealed.length - TAG_OCTETS;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_OCTETS });
  decipher.setAuthTag(sealed.subarray(tagAt));
  const plaintext = decipher.update(sealed.subarray(0, tagAt));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return null;
  }
}

/** Seven zero octets, the chunk's number, and 1 for the last: as STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015). */
function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_OCTETS);
  nonce.writeUInt32BE(index, COUNTER_AT);
  nonce[FLAG_AT] = last ? 1 : 0;
  return nonce;
}

interface Numbered {
  readonly piece: Buffer;
  readonly index: number;
  readonly last: boolean;
}

/** A piece is given out when it is known whether another follows. Of nothing there is one piece, an empty one. */
async function* numbered(pieces: Octets): AsyncGenerator<Numbered> {
  let held: Buffer | null = null;
  let index = 0;
  for await (const piece of pieces) {
    if (held !== null) yield { piece: held, index: index++, last: false };
    if (index >= MAX_CHUNKS - 1) throw damaged('it has too many parts');
    held = piece;
  }
  yield { piece: held ?? Buffer.alloc(0), index, last: true };
}

/** Pieces of exactly `size` octets, the last one of 1 to `size`. */
async function* cut(chunks: Octets, size: number): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === size) {
        yield piece;
        piece = Buffer.allocUnsafe(size);
        filled = 0;
      }
      const copied = chunk.copy(piece, filled, at);
      filled += copied;
      at += copied;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Takes the beginning of a stream, then the rest. */
class Source {
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(chunks: Octets) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next octets; fewer at the end. */
  async take(size: number): Promise<Buffer> {
    while (this.#left.length < size) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      this.#left = Buffer.concat([this.#left, next.value]);
    }
    const taken = this.#left.subarray(0, size);
    this.#left = this.#left.subarray(size);
    return taken;
  }

  async *rest(): AsyncGenerator<Buffer> {
    yield this.#left;
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) yield next.value;
  }
}
