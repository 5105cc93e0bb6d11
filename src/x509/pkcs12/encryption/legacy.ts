import type { BerElement } from '../ber.ts';
import { count, octets, sequence } from '../parts.ts';
import type { Reading } from '../reading.ts';
import { type CipherName, type Keyed, SIZES } from './cipher.ts';
import { derivation, derive, PURPOSE } from './derivation.ts';

interface Scheme {
  readonly name: CipherName;
  /** Octets to be derived; fewer than the cipher takes in two-key triple DES, whose third key is the first again. */
  readonly derived?: number;
}

/** RFC 7292 appendix C, by the hex of the object identifier. The two schemes with RC4 are not read. */
export const LEGACY_SCHEMES: Readonly<Record<string, Scheme>> = {
  '2a864886f70d010c0103': { name: 'des-ede3-cbc' },
  '2a864886f70d010c0104': { name: 'des-ede3-cbc', derived: 16 },
  '2a864886f70d010c0105': { name: 'rc2-128-cbc' },
  '2a864886f70d010c0106': { name: 'rc2-40-cbc' },
};

/** Key and vector by PKCS#12's own derivation with SHA-1. `parameters`: SEQUENCE { salt, iterations }. */
export async function keyLegacy(scheme: Scheme, parameters: BerElement | undefined, reading: Reading): Promise<Keyed> {
  const [salt, iterations] = sequence(parameters);
  const how = derivation('sha1', octets(salt, reading), count(iterations), reading);
  const { key: size, block } = SIZES[scheme.name];
  const { wide } = reading.password;
  const derived = reading.keep(await derive(how, wide, PURPOSE.key, scheme.derived ?? size));
  const vector = await derive(how, wide, PURPOSE.vector, block);
  const key = derived.length === size ? derived : reading.keep(Buffer.concat([derived, derived.subarray(0, 8)]));
  return { name: scheme.name, key, vector };
}
