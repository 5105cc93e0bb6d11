import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { withoutDuplicates } from './chain.ts';
import { looksLikeDer, pemLabelOf } from './encoding/der-file.ts';
import { certificatesOfPkcs7 } from './encoding/pkcs7.ts';
import { sha256Hex } from './fingerprint.ts';
import { isKeyLabel, type PemBlock, readPem, wipePem } from './pem.ts';
import { looksLikePkcs12, readPkcs12 } from './pkcs12/read.ts';
import type { Pkcs12Content } from './pkcs12/safes.ts';
import { type PrivateKeyFile, readPrivateKey } from './private-key.ts';
import { looksLikeZip, readZip, type ZipFile } from './zip.ts';

const MAX_FILES = 16;
const MAX_CERTIFICATES = 32;
/** Each may cost seconds of work to open. */
const MAX_PKCS12 = 4;
const CERTIFICATE_LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);
const PKCS7_LABELS = new Set(['PKCS7', 'CMS']);

/** What a person uploaded, read. Whoever holds it disposes `key.pkcs8`. */
export interface Upload {
  readonly key: PrivateKeyFile | null;
  /** Each once, in the order they were found; leaf and issuers mixed. */
  readonly certificates: Certificate[];
  /** SHA-256 of each file as it was uploaded, lower-case hex, in the order given. */
  readonly sha256: string[];
}

interface Found {
  readonly keys: PrivateKeyFile[];
  readonly certificates: Certificate[];
  pkcs12: number;
}

/**
 * Reads zips, PKCS#12, PKCS#7 and PEM files, and DER certificates and keys, told apart by content, not by name. Nothing touches the disk.
 * The files stay the caller's, who wipes them; what was copied out of them here is wiped here. Everything may be hostile.
 * The one password is for all of them.
 * @throws KeyturnError `archive_rejected`, `payload_too_large`, `invalid_input` (nothing of use in a file, two private
 * keys), `certificate_unreadable`, and what {@link readPrivateKey} and {@link readPkcs12} throw.
 */
export async function readUpload(
  files: readonly { readonly name: string; readonly bytes: Buffer }[],
  password?: SecretBytes,
): Promise<Upload> {
  if (files.length > MAX_FILES) throw new KeyturnError('payload_too_large', `At most ${MAX_FILES} files at a time.`);
  const found: Found = { keys: [], certificates: [], pkcs12: 0 };
  try {
    for (const file of files) {
      if (looksLikeZip(file.bytes)) await readArchive(file, password, found);
      else if (!(await readFile(file, password, found))) throw nothingIn(file.name);
    }
    const certificates = withoutDuplicates(found.certificates);
    return { key: onlyKey(found.keys), certificates, sha256: files.map(({ bytes }) => sha256Hex(bytes)) };
  } catch (error) {
    for (const key of found.keys) key.pkcs8.dispose();
    throw error;
  }
}

async function readArchive(archive: ZipFile, password: SecretBytes | undefined, found: Found): Promise<void> {
  const files = await readZip(archive.bytes);
  try {
    let useful = 0;
    for (const file of files) if (await readFile(file, password, found)) useful++;
    if (useful === 0) throw nothingIn(archive.name);
  } finally {
    for (const { bytes } of files) bytes.fill(0);
  }
}

/** False when the file is none of ours: a read-me in a zip does no harm. */
async function readFile(file: ZipFile, password: SecretBytes | undefined, found: Found): Promise<boolean> {
  const { name, bytes } = file;
  if (looksLikePkcs12(bytes)) {
    if (++found.pkcs12 > MAX_PKCS12) throw tooMany(`PKCS#12 files than ${MAX_PKCS12}`);
    return readBags(await readPkcs12(bytes, password), found);
  }
  if (looksLikePem(bytes)) return readBlocks(bytes, password, found);
  if (!looksLikeDer(bytes)) return false;
  const label = pemLabelOf(bytes);
  if (label === null) throw unknownDer(name);
  return readBlock({ label, headers: NONE, der: bytes }, password, found);
}

function readBlocks(bytes: Buffer, password: SecretBytes | undefined, found: Found): boolean {
  const blocks = readPem(bytes);
  try {
    return blocks.map((block) => readBlock(block, password, found)).includes(true);
  } finally {
    wipePem(blocks);
  }
}

/** False when the block is none of ours, such as parameters of a curve. */
function readBlock(block: PemBlock, password: SecretBytes | undefined, found: Found): boolean {
  if (isKeyLabel(block.label)) found.keys.push(readPrivateKey(block, password));
  else if (CERTIFICATE_LABELS.has(block.label)) addCertificate(found, readCertificate(block.der));
  else if (PKCS7_LABELS.has(block.label)) {
    for (const der of certificatesOfPkcs7(block.der)) addCertificate(found, readCertificate(der));
  } else return false;
  return true;
}

function readBags({ keys, certificates }: Pkcs12Content, found: Found): boolean {
  try {
    for (const { bytes: der } of keys) found.keys.push(readPrivateKey({ label: 'PRIVATE KEY', headers: NONE, der }));
    for (const der of certificates) addCertificate(found, readCertificate(der));
    return keys.length + certificates.length > 0;
  } finally {
    for (const key of keys) key.dispose();
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

function addCertificate(found: Found, certificate: Certificate): void {
  if (found.certificates.length >= MAX_CERTIFICATES) throw tooMany(`certificates than ${MAX_CERTIFICATES}`);
  found.certificates.push(certificate);
}

function tooMany(what: string): KeyturnError {
  return new KeyturnError('payload_too_large', `The upload holds more ${what}.`, {
    fix: 'Upload one key with its certificate and chain at a time.',
  });
}

function unknownDer(name: string): KeyturnError {
  return new KeyturnError(
    'certificate_unreadable',
    `"${label(name)}" is binary, but no key, certificate, PKCS#7 or PKCS#12 file, or damaged.`,
    { fix: 'Fetch the file again from the partner, as PEM if it can be chosen.' },
  );
}

/** The same key may come twice, in its own file and beside the certificate; two different ones are a mistake. */
function onlyKey(keys: readonly PrivateKeyFile[]): PrivateKeyFile | null {
  const [first, ...others] = keys;
  const foreign = others.find(({ spki }) => spki !== first?.spki);
  if (first === undefined || foreign === undefined) {
    for (const { pkcs8 } of others) pkcs8.dispose();
    return first ?? null;
  }
  throw new KeyturnError('invalid_input', 'The upload holds two different private keys.', {
    fix: 'Upload one key with its certificate at a time.',
    facts: { first: first.spki, second: foreign.spki },
  });
}

/** In ASCII, or in UTF-16, which {@link readPem} then refuses with the reason. */
function looksLikePem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN') || bytes.includes('-----BEGIN', 0, 'utf16le') || bytes.includes(UTF16_BIG);
}

const UTF16_BIG = Buffer.from('-----BEGIN', 'utf16le').swap16();

function nothingIn(name: string): KeyturnError {
  return new KeyturnError('invalid_input', `"${label(name)}" holds no private key and no certificate.`, {
    fix: 'Upload the files from the partner’s portal: zip, PKCS#12 (.p12, .pfx), PKCS#7 (.p7b), PEM or DER.',
  });
}

/** A file name is the uploader's: one line, short, before it stands in a message. */
function label(name: string): string {
  return name.replace(/[\p{C}\u2028\u2029]/gu, '?').slice(0, 80);
}
