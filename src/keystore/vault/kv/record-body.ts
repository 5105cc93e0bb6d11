import { KeyturnError } from '../../../core/errors.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';
import { decodeBase64, encodeBase64 } from '../../file/master/base64-octets.ts';
import { answerObject, objectAt, textAt } from '../client/answer.ts';
import { vaultError } from '../client/reason.ts';

/** The one field of a record: its octets in base64 (RFC 4648 section 4). */
const FIELD = 'base64';
const OPENING = Buffer.from(`"${FIELD}":"`);
const [BEFORE, AFTER] = [Buffer.from(`{"options":{"cas":0},"data":{"${FIELD}":"`), Buffer.from('"}}')];
const DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=');
const QUOTE = 0x22;
const MASK = 'A';

/** What a first write sends: JSON made as octets, so that no string ever holds the secret. The caller wipes it. */
export function writeBody(octets: SecretBytes): Buffer {
  const value = encodeBase64(octets.bytes);
  try {
    const body = Buffer.allocUnsafeSlow(BEFORE.length + value.length + AFTER.length);
    BEFORE.copy(body);
    value.copy(body, BEFORE.length);
    AFTER.copy(body, BEFORE.length + value.length);
    return body;
  } finally {
    value.fill(0);
  }
}

/**
 * The octets in the answer to a read. The value is taken out as octets and masked in the answer before that is parsed,
 * so that the parser makes no string of it. Wipes the answer.
 * @throws KeyturnError `keystore_corrupt` for what Keyturn did not write, `keystore_unavailable` for no KV version 2.
 */
export function readBody(answer: Buffer, path: string): SecretBytes {
  const masked = maskedValue(answer);
  try {
    const data = objectAt(answerObject(answer), 'data');
    const metadata = objectAt(data, 'metadata');
    if (typeof metadata['version'] !== 'number') throw notVersioned(path);
    const record = objectAt(data, 'data');
    const text = textAt(record, FIELD);
    const ours = text !== null && Object.keys(record).length === 1 && text === MASK.repeat(masked?.length ?? 0);
    const octets = masked === null || !ours ? null : decodeBase64(masked);
    if (octets === null) throw corrupt(path);
    return SecretBytes.own(octets);
  } finally {
    masked?.fill(0);
    answer.fill(0);
  }
}

/** The base64 behind the first `"base64":"`, which is overwritten in the answer; null when there is none. */
function maskedValue(answer: Buffer): Buffer | null {
  const at = answer.indexOf(OPENING);
  if (at < 0) return null;
  const from = at + OPENING.length;
  let to = from;
  while (to < answer.length && isDigit(answer[to])) to += 1;
  // Something else than base64 is not ours, and stays for the parser to be seen.
  if (to === from || answer[to] !== QUOTE) return null;
  const value = Buffer.allocUnsafeSlow(to - from);
  answer.copy(value, 0, from, to);
  answer.fill(MASK, from, to);
  return value;
}

/** Of base64, padding included. */
function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && DIGITS.includes(octet);
}

function corrupt(path: string): KeyturnError {
  return new KeyturnError('keystore_corrupt', `${path} in Vault holds something else than a record of Keyturn.`, {
    fix: 'Find out who wrote there (the audit device of Vault says so). Do not use it.',
  });
}

/** For answers that an engine of another kind, or KV version 1, gives. */
export function notVersioned(path: string): KeyturnError {
  return vaultError('no_mount', `What is mounted at ${path} is not KV version 2.`, {
    fix: 'Enable one: bao secrets enable -path=<mount> -version=2 kv',
  });
}
