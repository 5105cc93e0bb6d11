import { readCertificate } from '../../x509/certificate.ts';
import { readPem } from '../../x509/pem.ts';

/** Chains that are remembered: a partner has few, its credentials share them. */
const REMEMBERED = 1_000;
const ends = new Map<string, number | null>();

/** When the first of these issuers ends, milliseconds since the epoch; null for none, or none that can be read. */
export function chainEnd(pem: string): number | null {
  const known = ends.get(pem);
  if (known !== undefined) return known;
  if (ends.size >= REMEMBERED) ends.clear();
  const end = earliest(pem);
  ends.set(pem, end);
  return end;
}

function earliest(pem: string): number | null {
  if (pem === '') return null;
  try {
    const issuers = readPem(Buffer.from(pem, 'utf8')).map(({ der }) => readCertificate(der));
    return issuers.length === 0 ? null : Math.min(...issuers.map(({ notAfter }) => notAfter));
  } catch {
    // What was imported was judged; what can't be read now is no reason to rotate.
    return null;
  }
}
