import { KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';

/** One secret of a credential: `key` (PKCS#8 DER) or `companion/<name>` (the octets as they were set). */
export interface NamedSecret {
  readonly name: string;
  readonly octets: SecretBytes;
}

export const MAX_SECRETS = 32;
export const MAX_SECRET_LENGTH = 65_536;
const NAME = /^(?:key|companion\/[a-z0-9][a-z0-9._-]{0,63})$/;
const MAX_NAME_LENGTH = 'companion/'.length + 64;

/** Octets of the largest frame. */
export const MAX_FRAME_LENGTH = 1 + MAX_SECRETS * (1 + MAX_NAME_LENGTH + 4 + MAX_SECRET_LENGTH);

/**
 * The plaintext of a sealed answer: number of secrets (1 octet), then each as length of the name (1), name (ASCII),
 * length of the octets (4, big-endian), octets. Binary, because a secret in JSON leaves strings that can't be wiped.
 * The caller keeps and wipes `secrets` and disposes of the result.
 * @throws KeyturnError `invalid_input` when a limit or the form of a name is broken.
 */
export function encodeFrame(secrets: readonly NamedSecret[]): SecretBytes {
  const length = checkedLength(secrets);
  const frame = Buffer.allocUnsafeSlow(length);
  let at = frame.writeUInt8(secrets.length, 0);
  for (const { name, octets } of secrets) {
    at = frame.writeUInt8(name.length, at);
    at += frame.write(name, at, 'ascii');
    at = frame.writeUInt32BE(octets.length, at);
    at += octets.bytes.copy(frame, at);
  }
  return SecretBytes.own(frame);
}

function checkedLength(secrets: readonly NamedSecret[]): number {
  const names = new Set(secrets.map(({ name }) => name));
  const fits = secrets.length >= 1 && secrets.length <= MAX_SECRETS && names.size === secrets.length;
  if (!fits || !secrets.every(isSound)) {
    throw new KeyturnError('invalid_input', 'These secrets do not fit a sealed answer.', {
      fix: `Seal 1 to ${MAX_SECRETS} secrets of 1 to ${MAX_SECRET_LENGTH} octets, each under a name of its own.`,
    });
  }
  return secrets.reduce((sum, { name, octets }) => sum + 1 + name.length + 4 + octets.length, 1);
}

function isSound({ name, octets }: NamedSecret): boolean {
  return NAME.test(name) && octets.length >= 1 && octets.length <= MAX_SECRET_LENGTH;
}

/**
 * Reads a frame into secrets of their own, for the caller to dispose of; null when anything about it is not as
 * {@link encodeFrame} writes it. The caller keeps and wipes `frame`.
 */
export function decodeFrame(frame: Buffer): Map<string, SecretBytes> | null {
  const secrets = new Map<string, SecretBytes>();
  const end = readSecrets(frame, secrets);
  if (end === frame.length) return secrets;
  for (const octets of secrets.values()) octets.dispose();
  return null;
}

/** Where the last secret ends; -1 at the first thing that is wrong. */
function readSecrets(frame: Buffer, into: Map<string, SecretBytes>): number {
  const count = frame[0] ?? 0;
  if (count < 1 || count > MAX_SECRETS) return -1;
  let at = 1;
  for (let i = 0; i < count; i++) {
    const nameEnd = at + 1 + (frame[at] ?? 0);
    if (nameEnd + 4 > frame.length) return -1;
    const name = frame.toString('latin1', at + 1, nameEnd);
    const length = frame.readUInt32BE(nameEnd);
    at = nameEnd + 4 + length;
    if (!NAME.test(name) || into.has(name)) return -1;
    if (length < 1 || length > MAX_SECRET_LENGTH || at > frame.length) return -1;
    into.set(name, SecretBytes.copyOf(frame.subarray(at - length, at)));
  }
  return at;
}
