import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { KeyturnError } from '../../../core/errors.ts';
import { errno } from '../../file/disk/owner-only.ts';
import type { TransportTls } from '../client/transport.ts';
import type { PemSource, VaultTlsSettings } from './tls.ts';

/** Reads the files that the settings name. @throws KeyturnError `config_invalid`, which quotes nothing of them. */
export function loadTls(settings: VaultTlsSettings): TransportTls {
  const name = settings.serverName?.value;
  return {
    secureContext: contextOf(settings),
    insecure: settings.skipVerify.value,
    ...(name === undefined ? {} : { serverName: name }),
  };
}

function contextOf({ ca, clientCertificate, clientKey }: VaultTlsSettings): SecureContext {
  const key = clientKey === null ? null : pem(clientKey);
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === null ? {} : { ca: authorities(ca) }),
      ...(clientCertificate === null || key === null ? {} : { cert: pem(clientCertificate), key }),
    });
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    const sources = [ca, clientCertificate, clientKey].flatMap((each) => each?.source ?? []);
    throw new KeyturnError('config_invalid', `The TLS files for Vault (from ${sources.join(', ')}) do not fit.`, {
      fix: 'They are PEM; the key is that of the certificate, and has no password.',
    });
  } finally {
    key?.fill(0);
  }
}

/** A CA that OpenSSL finds no certificate in would be left out without a word, and nothing would then be trusted. */
function authorities(ca: PemSource): Buffer {
  const octets = pem(ca);
  try {
    new X509Certificate(octets);
  } catch {
    const place = 'pem' in ca.value ? ca.source : 'file' in ca.value ? ca.value.file : ca.value.folder;
    throw new KeyturnError(
      'config_invalid',
      `${place}, for the CA of Vault (from ${ca.source}), holds no certificate.`,
      {
        fix: 'It is PEM; of a certificate in DER: openssl x509 -inform der -in FILE -out ca.pem',
      },
    );
  }
  return octets;
}

function pem({ value, source }: PemSource): Buffer {
  if ('pem' in value) return Buffer.from(value.pem);
  try {
    if ('file' in value) return readFileSync(value.file);
    return certificatesIn(value.folder);
  } catch (error) {
    const path = 'file' in value ? value.file : value.folder;
    throw new KeyturnError('config_invalid', `${path} (from ${source}) can't be read (${errno(error)}).`, {
      fix: 'Check the path and who may read it.',
    });
  }
}

/** Of every file in the folder that holds PEM, whatever it is called: `c_rehash` names them by hash, as `9d66eef0.0`. */
function certificatesIn(folder: string): Buffer {
  const files = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
  const texts = files
    .map((path) => readFileSync(path))
    .filter((octets) => octets.includes('-----BEGIN CERTIFICATE-----'));
  return Buffer.concat(texts.flatMap((octets) => [octets, Buffer.from('\n')]));
}
