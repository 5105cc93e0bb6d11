import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Reading } from '../reading.ts';
import { rejected } from '../rejected.ts';

/** Rounds between two looks at what else the process has to do: about 10 ms. */
const ROUNDS_AT_A_TIME = 8192;
/** In octets; programs write 8 to 20. */
const MAX_SALT = 1024;

export type Digest = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

/** Input and output block of the hash, in octets (FIPS 180-4 figure 1). */
const BLOCKS: Readonly<Record<Digest, { readonly input: number; readonly output: number }>> = {
  sha1: { input: 64, output: 20 },
  sha224: { input: 64, output: 28 },
  sha256: { input: 64, output: 32 },
  sha384: { input: 128, output: 48 },
  sha512: { input: 128, output: 64 },
};

/** RFC 7292 appendix B.3. */
export const PURPOSE = { key: 1, vector: 2, mac: 3 } as const;

export interface Derivation {
  readonly digest: Digest;
  readonly salt: Buffer;
  readonly iterations: number;
}

/**
 * The derivation's parameters, paid for.
 * @throws KeyturnError `archive_rejected`
 */
export function derivation(digest: Digest, salt: Buffer, iterations: number, reading: Reading): Derivation {
  if (salt.length === 0 || salt.length > MAX_SALT) throw rejected('a salt is empty or absurdly long');
  reading.spendIterations(iterations);
  return { digest, salt, iterations };
}

/**
 * PKCS#12's own way from a password to a key (RFC 7292 appendix B.2), in Buffers, the caller's to wipe. Other work of
 * the process goes on meanwhile.
 */
export async function derive(
  { digest, salt, iterations }: Derivation,
  password: Buffer,
  purpose: number,
  length: number,
): Promise<Buffer> {
  const { input, output } = BLOCKS[digest];
  const mixed = Buffer.concat([repeated(salt, input), repeated(password, input)]);
  const derived = Buffer.alloc(Math.ceil(length / output) * output);
  for (let at = 0; at < length; at += output) {
    const block = await hashed(digest, Buffer.concat([Buffer.alloc(input, purpose), mixed]), iterations);
    derived.set(block, at);
    addToEach(mixed, repeated(block, input));
    block.fill(0);
  }
  mixed.fill(0);
  const key = Buffer.from(derived.subarray(0, length));
  derived.fill(0);
  return key;
}

async function hashed(digest: Digest, start: Buffer, rounds: number): Promise<Buffer> {
  let current = start;
  for (let round = 1; round <= rounds; round++) {
    const next = hash(digest, current, 'buffer');
    current.fill(0);
    current = next;
    if (round % ROUNDS_AT_A_TIME === 0) await setImmediate();
  }
  return current;
}

/** As many copies as fill whole blocks, the last cut off; none of nothing. */
function repeated(octets: Buffer, block: number): Buffer {
  return Buffer.alloc(Math.ceil(octets.length / block) * block, octets);
}

/** Step 6 C: each block of `mixed` becomes itself + `addend` + 1, without the carry out of it. */
function addToEach(mixed: Buffer, addend: Buffer): void {
  for (let start = 0; start < mixed.length; start += addend.length) {
    let carry = 1;
    for (let at = addend.length - 1; at >= 0; at--) {
      carry += mixed.readUInt8(start + at) + addend.readUInt8(at);
      mixed.writeUInt8(carry & 0xff, start + at);
      carry >>= 8;
    }
  }
}
