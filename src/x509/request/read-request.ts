import { createPublicKey, type KeyObject } from 'node:crypto';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { checkDer } from '../encoding/der.ts';
import { distinguishedName } from '../encoding/distinguished-name.ts';
import { spkiFingerprint } from '../fingerprint.ts';
import { refuseWeakKey } from '../key-strength.ts';
import { typed } from '../peculiar.ts';

/** Many times what a request with a 4096-bit key and a dozen names has. */
const MAX_BYTES = 16 * 1024;
const SUBJECT_ALT_NAME = '2.5.29.17';

/** A request as an authority reads it: its signature holds, so whoever sent it has the key. */
export interface ReadRequest {
  readonly publicKey: KeyObject;
  readonly spki: string;
  /** As in {@link distinguishedName}. */
  readonly subject: string;
  readonly name: typed.Name;
  /** Of subjectAltName, each `dns:…` or `url:…`; other kinds by theirs. Sorted. */
  readonly names: readonly string[];
  readonly alternativeNames: typed.SubjectAlternativeNameExtension | null;
}

/**
 * Reads a DER request, which may come from an attacker. What else it asks for (usages, constraints) is not looked at:
 * that is the authority's to say.
 * @throws KeyturnError `invalid_input` for what is no request or not signed with its own key; `key_too_weak`.
 */
export async function readRequest(der: Buffer): Promise<ReadRequest> {
  if (der.length > MAX_BYTES) throw notOne('is too large');
  try {
    checkDer(der);
    return await read(der);
  } catch (error) {
    if (isKeyturnError(error, 'invalid_input') || isKeyturnError(error, 'key_too_weak')) throw error;
    // What a parser says quotes its input.
    throw notOne('can’t be read');
  }
}

async function read(der: Buffer): Promise<ReadRequest> {
  const request = new typed.Pkcs10CertificateRequest(der);
  if (!Buffer.from(request.rawData).equals(der)) throw notOne('can’t be read');
  const publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
  refuseWeakKey(publicKey);
  if (!(await request.verify())) throw notOne('is not signed with its own key');
  const extension = request.getExtension(SUBJECT_ALT_NAME);
  const alternativeNames = extension === null ? null : new typed.SubjectAlternativeNameExtension(extension.rawData);
  return {
    publicKey,
    spki: spkiFingerprint(publicKey),
    subject: distinguishedName(request.subjectName.toJSON()),
    name: request.subjectName,
    names: namesIn(alternativeNames),
    alternativeNames,
  };
}

/** What an extension subjectAltName says, each with its kind, sorted. */
export function namesIn(extension: typed.SubjectAlternativeNameExtension | null): string[] {
  return (extension?.names.items ?? []).map(({ type, value }) => `${type}:${value}`).toSorted();
}

function notOne(found: string): KeyturnError {
  return new KeyturnError('invalid_input', `The certificate request ${found}.`, {
    fix: 'Make it anew: openssl req -new -key KEY.pem',
  });
}
