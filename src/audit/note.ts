import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { decodeBase64 } from '../core/encoding/base64.ts';
import { KeyturnError } from '../core/errors.ts';

/** C2SP signed-note: verifiers must accept 16 signatures; post-quantum ones are nearly 5 kB each, 107 kB in base64. */
export const MAX_NOTE_BYTES = 131_072;
export const MAX_NOTE_SIGNATURES = 64;

const ED25519 = 0x01;
const ED25519_KEY_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
const KEY_ID_BYTES = 4;

/** A public key under the name it signs with (C2SP signed-note, type 0x01: Ed25519). */
export interface NoteKey {
  readonly name: string;
  /** SHA-256(name || 0x0A || type || public key)[:4], lower-case hex. */
  readonly id: string;
  readonly publicKey: KeyObject;
}

/** @throws KeyturnError `invalid_input` for a name that a signature line cannot hold, or a key that is not Ed25519. */
export function noteKey(name: string, publicKey: KeyObject): NoteKey {
  if (!isKeyName(name)) throw new KeyturnError('invalid_input', 'A note key name is empty, or has a space or a plus.');
  return { name, id: keyId(name, rawKey(publicKey)), publicKey };
}

/** `name+keyid+base64(type || public key)`. */
export function formatVkey(key: NoteKey): string {
  const typed = Buffer.concat([Buffer.of(ED25519), rawKey(key.publicKey)]);
  return `${key.name}+${key.id}+${typed.toString('base64')}`;
}

/** @throws KeyturnError `invalid_input` for anything but an Ed25519 vkey whose key id is its own. */
export function parseVkey(vkey: string): NoteKey {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  const typed = decodeBase64(encoded, 1 + ED25519_KEY_BYTES);
  if (typed === null || typed[0] !== ED25519) {
    throw new KeyturnError('invalid_input', 'A log key is not an Ed25519 verifier key.', {
      fix: 'Give the key as name+keyid+base64, as the server prints it.',
    });
  }
  const x = typed.subarray(1).toString('base64url');
  const key = noteKey(name, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
  if (key.id !== id) throw new KeyturnError('invalid_input', 'A log key does not fit its own name and key id.');
  return key;
}

/**
 * The text with one signature line. `key` is the public half of `privateKey`.
 * @throws KeyturnError `internal` for a text that no note can hold.
 */
export function signNote(text: string, key: NoteKey, privateKey: KeyObject): string {
  if (!text.endsWith('\n') || !isNoteText(text)) throw new KeyturnError('internal', 'A text cannot be a note.');
  const signature = sign(null, Buffer.from(text, 'utf8'), privateKey);
  const line = Buffer.concat([Buffer.from(key.id, 'hex'), signature]).toString('base64');
  return `${text}\n— ${key.name} ${line}\n`;
}

export interface OpenedNote {
  readonly text: string;
  /** The known keys that signed, each once however often it signed. Never empty. */
  readonly signedBy: readonly NoteKey[];
}

/**
 * Verifies a note (attacker-controlled) by the rules of C2SP signed-note: signatures of unknown keys are ignored,
 * also when they share the name or the id (not both) of a known one; one bad signature of a known key refuses the
 * whole note; at least one known key must have signed.
 * @throws KeyturnError `audit_invalid`; the message never quotes the note.
 */
export function openNote(note: string, keys: readonly NoteKey[]): OpenedNote {
  const { text, lines } = split(note);
  const octets = Buffer.from(text, 'utf8');
  const signedBy = new Set<NoteKey>();
  for (const line of lines) {
    const { name, id, signature } = parseSignature(line);
    const key = keys.find((known) => known.name === name && known.id === id);
    if (key === undefined) continue;
    if (signature.length !== ED25519_SIGNATURE_BYTES || !verify(null, octets, key.publicKey, signature)) {
      throw invalid('a signature of a known key does not verify');
    }
    signedBy.add(key);
  }
  if (signedBy.size === 0) throw invalid('no known key signed it');
  return { text, signedBy: [...signedBy] };
}

function split(note: string): { text: string; lines: string[] } {
  if (note.length > MAX_NOTE_BYTES || Buffer.byteLength(note, 'utf8') > MAX_NOTE_BYTES) throw invalid('it is too long');
  if (!isNoteText(note)) throw invalid('it holds characters that a note may not hold');
  // The text may hold empty lines itself: the last one divides.
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0 || !note.endsWith('\n') || gap + 2 >= note.length) throw invalid('it has no signature lines');
  const lines = note.slice(gap + 2, -1).split('\n');
  if (lines.length > MAX_NOTE_SIGNATURES) throw invalid('it has too many signatures');
  return { text: note.slice(0, gap + 1), lines };
}

function parseSignature(line: string): { name: string; id: string; signature: Buffer } {
  const [dash, name = '', encoded = '', ...rest] = line.split(' ');
  const octets = decodeBase64(encoded);
  if (dash !== '—' || rest.length > 0 || !isKeyName(name) || octets === null || octets.length <= KEY_ID_BYTES) {
    throw invalid('a signature line is malformed');
  }
  return { name, id: octets.toString('hex', 0, KEY_ID_BYTES), signature: octets.subarray(KEY_ID_BYTES) };
}

/** No Unicode space, no plus, nothing that would break the line. */
export function isKeyName(name: string): boolean {
  return name !== '' && isNoteText(name) && !/[\p{White_Space}+]/u.test(name);
}

/** Well-formed, and no ASCII control character but the line feed. */
function isNoteText(text: string): boolean {
  if (!text.isWellFormed()) return false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 && unit !== 0x0a) return false;
  }
  return true;
}

function keyId(name: string, raw: Buffer): string {
  const input = Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), Buffer.of(ED25519), raw]);
  return hash('sha256', input, 'hex').slice(0, 2 * KEY_ID_BYTES);
}

function rawKey(publicKey: KeyObject): Buffer {
  if (publicKey.type !== 'public' || publicKey.asymmetricKeyType !== 'ed25519') {
    throw new KeyturnError('invalid_input', 'A log key is not an Ed25519 key.');
  }
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The signed note is refused: ${what}.`);
}
