import { KeyturnError } from '../../core/errors.ts';
import { type DerElement, derElements, TAG } from '../encoding/der.ts';

/**
 * Deriving a key from a password costs what the file says, and the file may come from an attacker. A million rounds of
 * PBKDF2 take about half a second; OpenSSL writes 2048, OWASP asks for 600,000 (2023).
 */
const MAX_ITERATIONS = 1_000_000;
/** N·r·p of scrypt. OpenSSL writes 16384·8·1; eight times that takes about half a second. */
const MAX_SCRYPT_WORK = 2 ** 20;

/** Object identifiers as the hex of their DER content. */
const OID = {
  pbes2: '2a864886f70d01050d',
  scrypt: '2b06010401da47040b',
} as const;

/** RFC 5958 section 3: EncryptedPrivateKeyInfo, taken apart but not decrypted. */
export interface EncryptedPkcs8 {
  /** Hex of the scheme's object identifier (DER content). */
  readonly scheme: string;
  readonly parameters: readonly DerElement[];
  readonly data: Buffer;
}

/**
 * Takes the container apart and refuses one that would cost too much to open.
 * @throws KeyturnError `key_unreadable`
 */
export function readEncryptedPkcs8(der: Buffer): EncryptedPkcs8 {
  const [algorithm, data] = children(only(derElements(der)), TAG.sequence);
  const [scheme, parameters] = children(algorithm, TAG.sequence);
  const container: EncryptedPkcs8 = {
    scheme: content(scheme, TAG.oid).toString('hex'),
    parameters: children(parameters, TAG.sequence),
    data: content(data, TAG.octetString),
  };
  refuseCostly(container);
  return container;
}

/** RFC 8018 appendix A.3: salt and iteration count of a PBES1 scheme (and of PKCS#12's, which has the same form). */
export function pbes1Parameters(container: EncryptedPkcs8): { salt: Buffer; iterations: number } {
  const [salt, iterations] = container.parameters;
  return { salt: content(salt, TAG.octetString), iterations: integer(iterations) };
}

function refuseCostly(container: EncryptedPkcs8): void {
  if (container.scheme !== OID.pbes2) {
    if (pbes1Parameters(container).iterations > MAX_ITERATIONS) throw tooCostly();
    return;
  }
  // RFC 8018 appendix A.4: SEQUENCE { keyDerivationFunc, encryptionScheme }
  const [kdf, parameters] = children(container.parameters[0], TAG.sequence);
  const numbers = children(parameters, TAG.sequence).slice(1);
  if (content(kdf, TAG.oid).toString('hex') === OID.scrypt) {
    const [n, r, p] = numbers.map(integer);
    if ((n ?? Infinity) * (r ?? Infinity) * (p ?? Infinity) > MAX_SCRYPT_WORK) throw tooCostly();
  } else if (integer(numbers[0]) > MAX_ITERATIONS) {
    throw tooCostly();
  }
}

function children(element: DerElement | undefined, tag: number): DerElement[] {
  return derElements(content(element, tag));
}

function content(element: DerElement | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new KeyturnError('key_unreadable', 'The encrypted key is not in the form of PKCS#8.');
  return element.content;
}

function only(elements: readonly DerElement[]): DerElement | undefined {
  return elements.length === 1 ? elements[0] : undefined;
}

/** A number too large to be exact counts as infinite, a negative one as well. */
function integer(element: DerElement | undefined): number {
  const octets = content(element, TAG.integer);
  if (octets.length === 0 || octets.length > 6 || octets[0]! >= 0x80) return Infinity;
  return octets.readUIntBE(0, octets.length);
}

function tooCostly(): KeyturnError {
  return new KeyturnError('key_unreadable', 'Opening the encrypted key would take far more work than is allowed.', {
    fix: 'Encrypt it anew with usual parameters: openssl pkcs8 -topk8 -in KEY.pem -out NEW.pem',
  });
}
