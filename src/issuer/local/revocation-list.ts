import { typed } from '../../x509/peculiar.ts';
import { wrapPem } from '../../x509/pem.ts';
import { signingKeys } from '../../x509/request/signing.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../reason.ts';
import { type Signing, wholeSecond } from './sign.ts';

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

/** When a list was signed and until when it holds, milliseconds since the epoch. */
export function termOf(pem: string): { readonly from: number; readonly until: number } {
  const list = new typed.X509Crl(pem);
  return { from: list.thisUpdate.getTime(), until: list.nextUpdate?.getTime() ?? list.thisUpdate.getTime() };
}

/** X.690 section 8.3, of a number from zero: the shortest form whose first bit is zero. */
function derInteger(number: number): Buffer {
  const hex = number.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const digits = /^[89a-f]/.test(even) ? `00${even}` : even;
  const octets = Buffer.from(digits, 'hex');
  return Buffer.concat([Buffer.from([0x02, octets.length]), octets]);
}
