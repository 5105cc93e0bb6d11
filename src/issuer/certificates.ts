import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { type PemBlock, readPem } from '../x509/pem.ts';

/** A certificate of RSA-4096 with a chain of eight has a tenth of this. */
const MAX_PEM_OCTETS = 256 * 1024;

/**
 * The certificates of a PEM text that an issuer sent, which is not ours to trust, in its order; other blocks are left out.
 * @throws KeyturnError `certificate_unreadable`, `payload_too_large`; never `invalid_input`, which of an issuer says that
 * it was not asked.
 */
export function certificatesIn(pem: string): Certificate[] {
  if (pem.length > MAX_PEM_OCTETS) throw new KeyturnError('payload_too_large', 'The issuer sent too much to be read.');
  return blocksIn(pem)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ der }) => readCertificate(der));
}

function blocksIn(pem: string): readonly PemBlock[] {
  try {
    return readPem(Buffer.from(pem, 'utf8'));
  } catch (error) {
    if (!isKeyturnError(error, 'invalid_input')) throw error;
    throw new KeyturnError('certificate_unreadable', `What the issuer sent can't be read: ${error.message}`);
  }
}
