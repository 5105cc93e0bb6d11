import { hash } from 'node:crypto';
import { canonicalJson, type JsonObject, type JsonValue } from '../../core/canonical-json.ts';
import { KeyturnError } from '../../core/errors.ts';

/** One block of a disk: writing a slot never touches the octets of another. */
export const SLOT_BYTES = 4096;

const EMPTY = Buffer.alloc(SLOT_BYTES);
const MAGIC = Buffer.from('KTJ1', 'ascii');
const LENGTH_AT = MAGIC.length;
const DIGEST_AT = LENGTH_AT + 4;
const RECORD_AT = DIGEST_AT + 32;
/** Octets of a record as canonical JSON. */
export const RECORD_BYTES = SLOT_BYTES - RECORD_AT;

/** What a slot holds; `torn` is a write that did not come to its end, or was altered since. */
export type Slot =
  | { readonly kind: 'empty' }
  | { readonly kind: 'record'; readonly record: JsonObject }
  | { readonly kind: 'torn' };

/**
 * `KTJ1`, length (4 octets, big-endian), SHA-256 of length and record, record as canonical JSON, zeros.
 * @throws KeyturnError `invalid_input` for a record that does not fit.
 */
export function encodeSlot(record: JsonObject): Buffer {
  const octets = Buffer.from(canonicalJson(record), 'utf8');
  if (octets.length > RECORD_BYTES) {
    throw new KeyturnError('invalid_input', `A journal record of ${octets.length} octets is over ${RECORD_BYTES}.`, {
      fix: 'Give a shorter reason.',
    });
  }
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeUInt32BE(octets.length, LENGTH_AT);
  octets.copy(slot, RECORD_AT);
  digest(slot, octets.length).copy(slot, DIGEST_AT);
  return slot;
}

export function decodeSlot(slot: Buffer): Slot {
  if (slot.equals(EMPTY)) return { kind: 'empty' };
  const length = slot.readUInt32BE(LENGTH_AT);
  const isWhole = slot.subarray(0, LENGTH_AT).equals(MAGIC) && length <= RECORD_BYTES;
  if (!isWhole || !digest(slot, length).equals(slot.subarray(DIGEST_AT, RECORD_AT))) return { kind: 'torn' };
  const record = parseObject(slot.toString('utf8', RECORD_AT, RECORD_AT + length));
  return record === null ? { kind: 'torn' } : { kind: 'record', record };
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: JsonValue = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}

function digest(slot: Buffer, length: number): Buffer {
  const octets = Buffer.concat([slot.subarray(LENGTH_AT, DIGEST_AT), slot.subarray(RECORD_AT, RECORD_AT + length)]);
  return hash('sha256', octets, 'buffer');
}
