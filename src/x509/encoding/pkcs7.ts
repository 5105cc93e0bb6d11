import { KeyturnError } from '../../core/errors.ts';
import { type DerElement, derElements, TAG } from './der.ts';

/** 1.2.840.113549.1.7.2, signedData. */
const SIGNED_DATA = Buffer.from('2a864886f70d010702', 'hex');
const CONTENT = 0xa0;
const CERTIFICATES = 0xa0;

/**
 * The certificates in a PKCS#7 file (.p7b, .p7c): the `certificates` of a SignedData (RFC 5652 section 5.1), DER each.
 * Such a file is a bag of certificates. Its signatures, if any, say nothing here and are not looked at.
 * @throws KeyturnError `certificate_unreadable`
 */
export function certificatesOfPkcs7(der: Buffer): Buffer[] {
  const [type, content] = members(derElements(der)[0], TAG.sequence);
  if (type?.tag !== TAG.oid || !type.content.equals(SIGNED_DATA)) throw unreadable();
  const [signedData] = members(content, CONTENT);
  const set = members(signedData, TAG.sequence).find(({ tag }) => tag === CERTIFICATES);
  if (set === undefined) throw unreadable();
  return derElements(set.content).map(({ whole }) => whole);
}

function members(element: DerElement | undefined, tag: number): DerElement[] {
  if (element?.tag !== tag) throw unreadable();
  return derElements(element.content);
}

function unreadable(): KeyturnError {
  return new KeyturnError('certificate_unreadable', 'The PKCS#7 file holds no certificates.', {
    fix: 'Fetch the certificate chain again from the partner, as PEM if it can be chosen.',
  });
}
