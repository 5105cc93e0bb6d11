import { createPrivateKey, createPublicKey, hash, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { pemOctets } from '../../core/encoding/pem.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { LeaseAnswer, ServerTrust } from '../wire.ts';

/** One version of a credential, ready to be shown to the partner. Of the private key only OpenSSL's copy is left. */
export interface Material {
  readonly version: number;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  readonly secureContext: SecureContext;
  readonly leaf: X509Certificate;
  /** Issuer chain that is sent after the leaf. */
  readonly chain: readonly X509Certificate[];
  /** Tells whether another answer means the same context. */
  readonly fingerprint: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * Builds the TLS context of an answer, once a version. The key goes from DER to PEM octets to OpenSSL without ever
 * being a string, and both Buffers are zero-filled before this returns, whatever happens.
 * @param key PKCS#8 DER; disposed of here.
 * @throws KeyturnError `sealed_answer_invalid` when key, certificate and SPKI are not of one key pair.
 */
export function buildMaterial(answer: LeaseAnswer, key: SecretBytes): Material {
  using octets = key;
  const { leaf, chain } = readCertificates(answer);
  assertKeyPair(octets, leaf, answer.spki);
  const pem = pemOctets('PRIVATE KEY', octets.bytes);
  try {
    const secureContext = createSecureContext({
      key: pem,
      cert: `${answer.certificate.trimEnd()}\n${answer.chain}`,
      minVersion: 'TLSv1.2',
      ...rootsOf(answer.trust),
    });
    return {
      version: answer.version,
      spki: answer.spki,
      secureContext,
      leaf,
      chain,
      fingerprint: fingerprintOf(answer),
    };
  } catch {
    // OpenSSL's own error may quote what it was given.
    throw invalid('its certificate, chain or roots make no TLS context');
  } finally {
    pem.fill(0);
  }
}

/** Equal for answers that lead to the same TLS context: the key is named by its certificate. */
export function fingerprintOf({ version, certificate, chain, trust }: LeaseAnswer): string {
  return hash('sha256', JSON.stringify([version, certificate, chain, trust.mode, trust.pem]), 'hex');
}

/**
 * Server trust: the partner's certificates alone, the runtime's own (`NODE_EXTRA_CA_CERTS` included), or both. A
 * partner's chain may end below its root: what is pinned is trusted as it stands (`X509_V_FLAG_PARTIAL_CHAIN`).
 */
function rootsOf(trust: ServerTrust): { ca?: string[]; allowPartialTrustChain?: boolean } {
  if (trust.mode === 'system') return {};
  const ca = trust.mode === 'both' ? [...getCACertificates('default'), trust.pem] : [trust.pem];
  return { ca, allowPartialTrustChain: true };
}

function readCertificates(answer: LeaseAnswer): { leaf: X509Certificate; chain: X509Certificate[] } {
  try {
    // OpenSSL would skip a root that it can't read, and trust the others.
    if (answer.trust.mode !== 'system' && certificatesIn(answer.trust.pem).length === 0)
      throw invalid('it pins no root');
    return { leaf: new X509Certificate(answer.certificate), chain: certificatesIn(answer.chain) };
  } catch {
    throw invalid("a certificate of it can't be read");
  }
}

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
}

function assertKeyPair(key: SecretBytes, leaf: X509Certificate, spki: string): void {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: key.bytes, format: 'der', type: 'pkcs8' });
  } catch {
    throw invalid('its key is not PKCS#8');
  }
  if (spkiOf(createPublicKey(privateKey)) !== spki) throw invalid('its key is another than it says');
  if (spkiOf(leaf.publicKey) !== spki) throw invalid('its certificate is for another key');
}

function spkiOf(key: KeyObject): string {
  return hash('sha256', key.export({ format: 'der', type: 'spki' }), 'hex');
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('sealed_answer_invalid', `The lease answer is refused: ${what}.`, {
    fix: 'Ask the operators of this Keyturn to check the version that is current.',
  });
}
