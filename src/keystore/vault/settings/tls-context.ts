import { readdirSync, readFileSync } from 'node:fs';
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
      ...(ca === null ? {} : { ca: pem(ca) }),
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

function pem({ value, source }: PemSource): Buffer {
  if ('pem' in value) return Buffer.from(value.pem);
  try {
    if ('file' in value) return readFileSync(value.file);
    const names = readdirSync(value.folder).filter((name) => /\.(?:pem|crt|cer)$/.test(name));
    return Buffer.concat(names.sort().flatMap((name) => [readFileSync(join(value.folder, name)), Buffer.from('\n')]));
  } catch (error) {
    const path = 'file' in value ? value.file : value.folder;
    throw new KeyturnError('config_invalid', `${path} (from ${source}) can't be read (${errno(error)}).`, {
      fix: 'Check the path and who may read it.',
    });
  }
}
