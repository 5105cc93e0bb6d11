import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { pemOctets } from '../core/encoding/pem.ts';
import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';

export interface ClientContextOptions {
  /** PKCS#8 DER; stays the caller's, to wipe. Of it only OpenSSL's copy is left. */
  readonly key: SecretBytes;
  /** PEM. */
  readonly certificate: string;
  /** PEM, sent after the certificate; may be empty. */
  readonly chain: string;
  /** Roots for the server's certificate: those pinned (PEM), the runtime's own, or both. */
  readonly trust: { readonly mode: 'system' | 'pinned' | 'both'; readonly pem: string };
}

/**
 * A context to show a certificate to a partner with.
 * @throws KeyturnError `key_mismatch` when key, certificate and roots make none.
 */
export function clientContext({ key, certificate, chain, trust }: ClientContextOptions): SecureContext {
  const pem = pemOctets('PRIVATE KEY', key.bytes);
  try {
    return createSecureContext({
      key: pem,
      cert: `${certificate.trimEnd()}\n${chain}`,
      minVersion: 'TLSv1.2',
      ...rootsOf(trust),
    });
  } catch {
    // OpenSSL's own error may quote what it was given.
    throw new KeyturnError('key_mismatch', 'Key, certificate and roots make no TLS context.');
  } finally {
    pem.fill(0);
  }
}

/** A partner's chain may end below its root: what is pinned is trusted as it stands (`X509_V_FLAG_PARTIAL_CHAIN`). */
function rootsOf({ mode, pem }: ClientContextOptions['trust']): { ca?: string[]; allowPartialTrustChain?: boolean } {
  if (mode === 'system') return {};
  return { ca: mode === 'both' ? [...getCACertificates('default'), pem] : [pem], allowPartialTrustChain: true };
}
