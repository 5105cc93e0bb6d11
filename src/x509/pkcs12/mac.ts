import { createHmac, timingSafeEqual } from 'node:crypto';
import type { BerElement } from './ber.ts';
import { type Digest, derivation, derive, PURPOSE } from './encryption/derivation.ts';
import { count, identifier, octets, sequence } from './parts.ts';
import type { Reading } from './reading.ts';
import { unsupported, wrongPassword } from './rejected.ts';

/** By the hex of the object identifier (DER content). RFC 9579's PBMAC1 is not read. */
const DIGESTS: Readonly<Record<string, { readonly digest: Digest; readonly length: number }>> = {
  '2b0e03021a': { digest: 'sha1', length: 20 },
  '608648016503040204': { digest: 'sha224', length: 28 },
  '608648016503040201': { digest: 'sha256', length: 32 },
  '608648016503040202': { digest: 'sha384', length: 48 },
  '608648016503040203': { digest: 'sha512', length: 64 },
};

/**
 * Refuses content that was not written with the reading's password. `macData` (RFC 7292 section 4): SEQUENCE { SEQUENCE
 * { algorithm, digest }, salt, iterations DEFAULT 1 }.
 * @throws KeyturnError `key_password_wrong`, `key_unreadable`, `archive_rejected`
 */
export async function checkMac(macData: BerElement, content: Buffer, reading: Reading): Promise<void> {
  const [info, salt, iterations] = sequence(macData);
  const [algorithm, expected] = sequence(info);
  const known = DIGESTS[identifier(sequence(algorithm)[0])];
  if (known === undefined) throw unsupported('has a check sum of a kind that is not read here');
  const rounds = iterations === undefined ? 1 : count(iterations);
  const how = derivation(known.digest, octets(salt, reading), rounds, reading);
  const key = reading.keep(await derive(how, reading.password.wide, PURPOSE.mac, known.length));
  const found = createHmac(known.digest, key).update(content).digest();
  const told = octets(expected, reading);
  if (told.length !== found.length || !timingSafeEqual(told, found)) throw wrongPassword();
  reading.authenticated = true;
}
