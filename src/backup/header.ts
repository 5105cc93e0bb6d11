import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { KeyturnError } from '../core/errors.ts';
import { RecipientContext, SenderContext } from '../sealed/hpke.ts';
import { rawPublicKey, type X25519KeyPair } from '../sealed/x25519.ts';
import { damaged } from './damage.ts';
import { formatRecipient } from './recipient.ts';

const MAGIC = Buffer.from('KTBACKUP', 'ascii');
const VERSION = 1;
const VERSION_AT = MAGIC.length;
const RECIPIENT_AT = VERSION_AT + 2;
const ENC_AT = RECIPIENT_AT + 32;
const WRAPPED_AT = ENC_AT + 32;
export const HEADER_OCTETS = WRAPPED_AT + 48;

const KEY_OCTETS = 32;
const INFO = Buffer.from('keyturn backup 1', 'ascii');
const STREAM_INFO = Buffer.from('keyturn backup 1 stream', 'ascii');

export interface OpenedHeader {
  readonly header: Buffer;
  /** Of the chunks: bound to every octet of the header. */
  readonly streamKey: KeyObject;
}

/** `fixed` is for the published vectors alone. */
export function sealHeader(
  recipient: Buffer,
  fixed: { readonly contentKey?: Buffer; readonly ephemeral?: X25519KeyPair } = {},
): OpenedHeader {
  const contentKey = fixed.contentKey ?? randomBytes(KEY_OCTETS);
  const preamble = Buffer.alloc(ENC_AT);
  MAGIC.copy(preamble);
  preamble.writeUInt16BE(VERSION, VERSION_AT);
  recipient.copy(preamble, RECIPIENT_AT);
  const { ephemeral } = fixed;
  const context = SenderContext.create(recipient, INFO, ephemeral === undefined ? {} : { ephemeral });
  const header = Buffer.concat([preamble, context.enc, context.seal(preamble, contentKey).ct]);
  return { header, streamKey: streamKeyOf(contentKey, header) };
}

/**
 * Opens a header (attacker-controlled).
 * @throws KeyturnError `backup_invalid`; `backup_identity_wrong` when it is for another recipient.
 */
export function openHeader(header: Buffer, identity: KeyObject): OpenedHeader {
  if (header.length !== HEADER_OCTETS || !header.subarray(0, VERSION_AT).equals(MAGIC)) {
    throw damaged('it is no backup of Keyturn, or cut short');
  }
  if (header.readUInt16BE(VERSION_AT) !== VERSION) throw damaged('its version is unknown');
  const recipient = header.subarray(RECIPIENT_AT, ENC_AT);
  if (!recipient.equals(rawPublicKey(identity))) throw otherRecipient(recipient, identity);
  const contentKey = unwrap(header, identity);
  if (contentKey === null) throw damaged('its header was changed');
  return { header, streamKey: streamKeyOf(contentKey, header) };
}

function unwrap(header: Buffer, identity: KeyObject): Buffer | null {
  try {
    const context = RecipientContext.create(header.subarray(ENC_AT, WRAPPED_AT), identity, INFO);
    return context.open(header.subarray(0, ENC_AT), { seq: 0, ct: header.subarray(WRAPPED_AT) });
  } catch {
    return null;
  }
}

/** Wipes `contentKey`. */
function streamKeyOf(contentKey: Buffer, header: Buffer): KeyObject {
  const octets = Buffer.from(hkdfSync('sha256', contentKey, header, STREAM_INFO, KEY_OCTETS));
  contentKey.fill(0);
  const key = createSecretKey(octets);
  octets.fill(0);
  return key;
}

function otherRecipient(recipient: Buffer, identity: KeyObject): KeyturnError {
  const [wanted, given] = [formatRecipient(recipient), formatRecipient(rawPublicKey(identity))];
  return new KeyturnError('backup_identity_wrong', `The backup is for ${wanted}, and this identity is ${given}.`, {
    fix: 'Give the identity file that was made together with that recipient.',
    facts: { recipient: wanted, identity: given },
  });
}
