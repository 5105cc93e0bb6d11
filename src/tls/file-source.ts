import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import type { ServerIdentity, ServerIdentitySource } from './server-identity.ts';

const MAX_FILE_BYTES = 64 * 1024;
const FORBIDDEN_KEY_MODE = 0o027;

/**
 * A source for a certificate that the operator keeps in two PEM files. They are read again when either changes; a
 * half-made change (key and certificate of different pairs) is a failure, so the old pair stays in force until the
 * files agree. Symbolic links are followed, as mounted secrets use them.
 */
export function fileSource(paths: { readonly certificate: string; readonly key: string }): ServerIdentitySource {
  let seen = '';
  return {
    description: `files ${paths.certificate}, ${paths.key}`,
    async due(inForce, now) {
      await using certificate = await opened(paths.certificate);
      await using key = await opened(paths.key);
      const state = `${await fingerprint(certificate)} ${await fingerprint(key)}`;
      if (inForce !== null && state === seen) return null;
      await checkMode(key, paths.key);
      const identity = await readPair(certificate, key, paths, now);
      seen = state;
      return identity;
    },
  };
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new KeyturnError('config_invalid', `${path} cannot be opened.`, {
      fix: 'Check the path and that this user may read it.',
      cause,
    });
  }
}

/** Changes whenever the file is replaced, written or chmod-ed. */
async function fingerprint(file: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

async function checkMode(key: FileHandle, path: string): Promise<void> {
  const { mode, uid } = await key.stat();
  const mine = uid === 0 || uid === process.getuid?.();
  if (process.platform === 'win32' || (mine && (mode & FORBIDDEN_KEY_MODE) === 0)) return;
  const found = `mode ${(mode & 0o777).toString(8).padStart(4, '0')}, owner ${uid}`;
  throw new KeyturnError('config_invalid', `The private key ${path} is open to others (${found}).`, {
    fix: `Run chown and chmod 600 on ${path}; if others may have read it, replace the pair.`,
  });
}

async function readPair(
  certificateFile: FileHandle,
  keyFile: FileHandle,
  paths: { readonly certificate: string; readonly key: string },
  now: number,
): Promise<ServerIdentity> {
  const certificatePem = (await readAll(certificateFile, paths.certificate)).toString('utf8');
  const certificate = readCertificate(certificatePem, paths.certificate);
  const [notBefore, notAfter] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (now > notAfter) {
    throw new KeyturnError('certificate_expired', `${paths.certificate} ended on ${certificate.validTo}.`, {
      fix: 'Put a valid certificate and its key in place; they are read again by themselves.',
    });
  }
  const privateKeyPem = SecretBytes.own(await readAll(keyFile, paths.key));
  try {
    checkPair(certificate, readKey(privateKeyPem, paths.key), paths);
    return { certificatePem, privateKeyPem, notBefore, notAfter };
  } catch (error) {
    privateKeyPem.dispose();
    throw error;
  }
}

function checkPair(
  certificate: X509Certificate,
  key: KeyObject,
  paths: { readonly certificate: string; readonly key: string },
): void {
  if (certificate.checkPrivateKey(key)) return;
  throw new KeyturnError(
    'key_mismatch',
    `${paths.key} is not the key of the first certificate in ${paths.certificate}.`,
    {
      fix: 'Put both files of one pair in place, the server certificate before its issuers.',
    },
  );
}

/** Reads into one Buffer of our own, since `readFile` would leave copies of chunks behind. */
async function readAll(file: FileHandle, path: string): Promise<Buffer> {
  const { size } = await file.stat();
  if (size === 0 || size > MAX_FILE_BYTES) {
    throw new KeyturnError('config_invalid', `${path} has ${size} bytes; 1 to ${MAX_FILE_BYTES} are allowed.`);
  }
  const buffer = Buffer.allocUnsafeSlow(size);
  const { bytesRead } = await file.read(buffer, 0, size, 0);
  if (bytesRead === size) return buffer;
  buffer.fill(0);
  throw new KeyturnError('config_invalid', `${path} changed while it was read.`);
}

function readCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new KeyturnError('certificate_unreadable', `${path} does not begin with a PEM certificate.`);
  }
}

function readKey(pem: SecretBytes, path: string): KeyObject {
  try {
    return createPrivateKey({ key: pem.bytes, format: 'pem' });
  } catch {
    throw new KeyturnError('key_unreadable', `${path} holds no unencrypted PEM private key.`);
  }
}
