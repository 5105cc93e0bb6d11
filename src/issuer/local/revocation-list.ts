import { type DerElement, derElements } from '../../x509/encoding/der.ts';
import { typed } from '../../x509/peculiar.ts';
import { wrapPem } from '../../x509/pem.ts';
import { signingKeys } from '../../x509/request/signing.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../reason.ts';
import { type Signing, wholeSecond } from './sign.ts';

/** X.690 section 8.1.2, universal tags of both kinds of times. */
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** RFC 5280 section 5.2.3. */
const CRL_NUMBER = '2.5.29.20';

export interface RevokedCertificate {
  /** Lower-case hex. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: RevocationReason;
}

export interface ListTerm {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly seconds: number;
}

/** A revocation list (RFC 5280 section 5) of all that is revoked. PEM. */
export async function signRevocationList(
  { key, authority }: Signing,
  revoked: readonly RevokedCertificate[],
  { number, now, seconds }: ListTerm,
): Promise<string> {
  const issuer = new typed.X509Certificate(authority);
  const { algorithm, privateKey } = signingKeys(key);
  const list = await typed.X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: wholeSecond(now),
    nextUpdate: wholeSecond(now + seconds * 1000),
    entries: revoked.map(({ serial, at, reason }) => ({
      serialNumber: serial,
      revocationDate: wholeSecond(at),
      // RFC 5280 section 5.3.1: unspecified is said by saying nothing. The library writes an empty list of extensions
      // then, which section 5.1 does not allow; so the entry says since when, which is nothing new.
      ...(reason === 'unspecified' ? { invalidity: wholeSecond(at) } : { reason: REVOCATION_REASONS[reason] }),
    })),
    signingKey: privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      await typed.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      new typed.Extension(CRL_NUMBER, false, derInteger(number)),
    ],
  });
  return wrapPem('X509 CRL', Buffer.from(list.rawData));
}

/**
 * When a list of ours was signed and until when it holds, milliseconds since the epoch: the two times that stand in it
 * beside the entries (RFC 5280 section 5.1). Anybody may ask for the list, and it may be long, so no entry is read.
 */
export function termOf(pem: string): { readonly from: number; readonly until: number } {
  const der = Buffer.from(pem.replaceAll(/-----[^-]*-----/g, ''), 'base64');
  const inside = (bytes: Buffer) => derElements(bytes)[0]?.content ?? Buffer.alloc(0);
  const members = derElements(inside(inside(der)));
  const [from = 0, until = from] = members
    .filter(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME)
    .map(timeOf);
  return { from, until };
}

/** RFC 5280 sections 5.1.2.4 to 5.1.2.6: in UTC, with seconds; two digits of a year are of 1950 to 2049. */
function timeOf({ tag, content }: DerElement): number {
  const text = content.toString('latin1');
  const digits = tag === GENERALIZED_TIME ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`;
  return Date.parse(digits.replace(/^(....)(..)(..)(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

/** X.690 section 8.3, of a number from zero: the shortest form whose first bit is zero. */
function derInteger(number: number): Buffer {
  const hex = number.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const digits = /^[89a-f]/.test(even) ? `00${even}` : even;
  const octets = Buffer.from(digits, 'hex');
  return Buffer.concat([Buffer.from([0x02, octets.length]), octets]);
}
