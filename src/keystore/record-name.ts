import { KeyturnError } from '../core/errors.ts';

/** Path-like name of a record in a key store: safe as a Vault KV path and as an AWS secret name alike. */
export type RecordName = string;

/** At most 200 characters: the tightest limit among the stores, less room for a prefix. */
const RECORD_NAME = /^[a-z0-9][a-z0-9._-]{0,63}(?:\/[a-z0-9][a-z0-9._-]{0,63}){1,7}$/;

/** `versions/lean/sandbox/3`: the private key of version 3, PKCS#8 DER. */
export function versionRecord(credential: string, version: number): RecordName {
  return recordName(`versions/${credential}/${version}`);
}

/** `companions/lean/sandbox/lean-app-token/2`: second value of that companion, raw octets. */
export function companionRecord(credential: string, name: string, generation: number): RecordName {
  return recordName(`companions/${credential}/${name}/${generation}`);
}

/** `system/log/1`: the log's Ed25519 key; `system/ca/1`: the key of the listener's CA. PKCS#8 DER. */
export function systemRecord(what: 'log' | 'ca', generation: number): RecordName {
  return recordName(`system/${what}/${generation}`);
}

/** `issuers/internal/1`: first key of the built-in authority of that name. PKCS#8 DER. */
export function authorityRecord(issuer: string, generation: number): RecordName {
  return recordName(`issuers/${issuer}/${generation}`);
}

/** @throws KeyturnError `invalid_input` unless the name is well-formed (which excludes `..`, `//` and upper case). */
export function recordName(text: string): RecordName {
  if (text.length > 200 || !RECORD_NAME.test(text) || text.includes('..')) {
    throw new KeyturnError('invalid_input', 'That is not a record name of a key store.');
  }
  return text;
}
