import { randomFillSync } from 'node:crypto';

export type IdPrefix =
  | 'lease'
  | 'hold'
  | 'token'
  | 'request'
  | 'entry'
  | 'import'
  | 'move'
  | 'process'
  | 'backup'
  | 'rotation'
  | 'task'
  | 'notice';

/** Drawn for many ids at once: a call of the generator costs more than its octets. */
const POOL = Buffer.alloc(10 * 256);
let used = POOL.length;

/** Ten octets that nobody had before. */
function randomOctets(): Buffer {
  if (used === POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  used += 10;
  return POOL.subarray(used - 10, used);
}

/**
 * A fresh identifier such as `lease_0199f0c1e2d37a3b8c4d5e6f70819293`: a UUID version 7
 * (RFC 9562 section 5.7) in hexadecimal without hyphens, so that ids sort by creation time.
 */
export function newId(prefix: IdPrefix, epochMs: number = Date.now()): string {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(epochMs, 0, 6);
  randomOctets().copy(bytes, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${bytes.toString('hex')}`;
}
