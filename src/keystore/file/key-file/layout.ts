import { createHash, timingSafeEqual } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import { recordName } from '../../record-name.ts';
import { SEAL_OVERHEAD } from './aead.ts';
import { damaged } from './damage.ts';
import { isAffordable, SALT_OCTETS, type StretchParameters } from './stretch.ts';

/** docs/formats/key-file.md section 2. "KEYTURN" and a zero octet. */
const MAGIC = Buffer.from('4b45595455524e00', 'hex');
const FORMAT_VERSION = 1;
export const STORE_ID_OCTETS = 16;
export const DIGEST_OCTETS = 32;
export const WRAPPED_OCTETS = 64 + SEAL_OVERHEAD;
const STRETCH_NONE = 0;
const STRETCH_ARGON2ID = 1;

/** Largest record, in octets of plaintext. A private key has 0.1 to 10 KiB. */
export const MAX_RECORD_OCTETS = 64 * 1024;

/** How the store's keys lie under a master key. `stretch` is null when the master key is 32 octets as they are. */
export interface MasterLock {
  readonly stretch: StretchParameters | null;
  /** Tells a wrong master key from a damaged file. 32 octets. */
  readonly check: Buffer;
  /** Data key and content key, sealed under the wrapping key: 92 octets. */
  readonly wrapped: Buffer;
}

/** What stands in a file, still sealed. */
export interface KeyFile {
  readonly storeId: Buffer;
  readonly lock: MasterLock;
  readonly generation: number;
  /** Sealed records by name. */
  readonly records: ReadonlyMap<string, Buffer>;
}

/** Section 2.1: the part of the header that the wrapped keys are bound to. */
export function encodePreamble(storeId: Buffer, lock: Pick<MasterLock, 'stretch' | 'check'>): Buffer {
  const stretch = Buffer.alloc(13 + SALT_OCTETS);
  if (lock.stretch !== null) {
    stretch.writeUInt8(STRETCH_ARGON2ID, 0);
    stretch.writeUInt32BE(lock.stretch.memoryKiB, 1);
    stretch.writeUInt32BE(lock.stretch.passes, 5);
    stretch.writeUInt32BE(lock.stretch.lanes, 9);
    lock.stretch.salt.copy(stretch, 13);
  }
  return Buffer.concat([MAGIC, u16(FORMAT_VERSION), storeId, stretch, lock.check]);
}

/** Everything that the MAC covers: header, and records in ascending order of their names. */
export function encodeBody(file: KeyFile): Buffer {
  const generation = Buffer.alloc(8);
  generation.writeBigUInt64BE(BigInt(file.generation));
  const parts = [encodePreamble(file.storeId, file.lock), file.lock.wrapped, generation, u32(file.records.size)];
  for (const [name, sealed] of [...file.records].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(Buffer.from([name.length]), Buffer.from(name, 'latin1'), u32(sealed.length), sealed);
  }
  return Buffer.concat(parts);
}

/** The whole file: body, its MAC, and a plain SHA-256 of both by which accidents are told from a wrong key. */
export function encodeFile(body: Buffer, mac: Buffer): Buffer {
  return Buffer.concat([body, mac, sha256(body, mac)]);
}

export interface ParsedKeyFile {
  readonly file: KeyFile;
  readonly body: Buffer;
  readonly mac: Buffer;
}

/**
 * Parses octets that an attacker may have written; nothing in the result is authentic until the MAC has been checked.
 * Allocates no more than the file's own size.
 * @throws KeyturnError `keystore_corrupt`.
 */
export function parseFile(octets: Buffer, place: string): ParsedKeyFile {
  const bodyEnd = octets.length - 2 * DIGEST_OCTETS;
  if (bodyEnd < 0) throw damaged(place, 'it is too short');
  checkFormat(octets, place);
  const body = octets.subarray(0, bodyEnd);
  const mac = octets.subarray(bodyEnd, bodyEnd + DIGEST_OCTETS);
  if (!timingSafeEqual(sha256(body, mac), octets.subarray(bodyEnd + DIGEST_OCTETS))) {
    throw damaged(place, 'its checksum does not match');
  }
  return { file: new BodyReader(body, place).read(), body, mac };
}

/** Before the checksum, whose place another format may have elsewhere: such a file is not damaged, and no backup helps. */
function checkFormat(octets: Buffer, place: string): void {
  if (octets.length < MAGIC.length + 2 || !octets.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new KeyturnError('keystore_corrupt', `${place} is not a key store, or its beginning is damaged.`, {
      fix: 'Check keystore.path; if it is the right one, keep the file for inspection and restore the newest backup.',
    });
  }
  const version = octets.readUInt16BE(MAGIC.length);
  if (version === FORMAT_VERSION) return;
  const message = `The key store ${place} is of format version ${version}; this Keyturn reads version ${FORMAT_VERSION}.`;
  throw new KeyturnError('keystore_corrupt', message, {
    fix: 'Start the newer Keyturn that wrote it. If none did, it is damaged: keep it, and restore the newest backup.',
  });
}

/** The same of a file that is damaged, as far as it can be read. @throws KeyturnError `keystore_corrupt`. */
export function parseUnchecked(octets: Buffer, place: string): KeyFile {
  return new BodyReader(octets.subarray(0, Math.max(0, octets.length - 2 * DIGEST_OCTETS)), place).read();
}

/** Reads a body from front to back; every length is checked before it is used. */
class BodyReader {
  readonly #body: Buffer;
  readonly #place: string;
  #at = 0;

  constructor(body: Buffer, place: string) {
    this.#body = body;
    this.#place = place;
  }

  read(): KeyFile {
    if (!this.#take(MAGIC.length).equals(MAGIC)) throw damaged(this.#place, 'it does not begin as a key store does');
    const version = this.#take(2).readUInt16BE();
    if (version !== FORMAT_VERSION) throw damaged(this.#place, `its format is version ${version}, this is version 1`);
    const storeId = this.#copy(STORE_ID_OCTETS);
    const lock = { stretch: this.#stretch(), check: this.#copy(DIGEST_OCTETS), wrapped: this.#copy(WRAPPED_OCTETS) };
    const generation = this.#take(8).readBigUInt64BE();
    if (generation < 1n || generation >= BigInt(Number.MAX_SAFE_INTEGER)) {
      throw damaged(this.#place, 'its generation is out of range');
    }
    return { storeId, lock, generation: Number(generation), records: this.#records() };
  }

  #stretch(): StretchParameters | null {
    const kind = this.#take(1).readUInt8();
    const [memoryKiB, passes, lanes] = [this.#u32(), this.#u32(), this.#u32()];
    const salt = this.#copy(SALT_OCTETS);
    if (kind === STRETCH_NONE && memoryKiB + passes + lanes === 0 && salt.every((octet) => octet === 0)) return null;
    const stretch = { memoryKiB, passes, lanes, salt };
    if (kind !== STRETCH_ARGON2ID || !isAffordable(stretch)) {
      throw damaged(this.#place, 'its passphrase parameters are out of bounds');
    }
    return stretch;
  }

  #records(): Map<string, Buffer> {
    const records = new Map<string, Buffer>();
    let before = '';
    for (let left = this.#u32(); left > 0; left--) {
      const name = this.#name();
      if (name <= before) throw damaged(this.#place, 'its records are not in order');
      before = name;
      const length = this.#u32();
      if (length <= SEAL_OVERHEAD || length > SEAL_OVERHEAD + MAX_RECORD_OCTETS) {
        throw damaged(this.#place, 'a record has an impossible length');
      }
      records.set(name, this.#copy(length));
    }
    if (this.#at !== this.#body.length) throw damaged(this.#place, 'octets follow its last record');
    return records;
  }

  #name(): string {
    const text = this.#take(this.#take(1).readUInt8()).toString('latin1');
    try {
      return recordName(text);
    } catch {
      throw damaged(this.#place, 'a record has an impossible name');
    }
  }

  #u32(): number {
    return this.#take(4).readUInt32BE();
  }

  #copy(length: number): Buffer {
    return Buffer.from(this.#take(length));
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#body.length) throw damaged(this.#place, 'it ends too early');
    const part = this.#body.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function u16(value: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(value);
  return octets;
}

function u32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}
