import { createCipheriv, createHmac } from 'node:crypto';

/** Descriptions of RFC 8446 section 6 that a refused client certificate can bring. */
export const ALERTS = {
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  unknown_ca: 48,
  access_denied: 49,
  certificate_required: 116,
} as const;

export type Alert = keyof typeof ALERTS;

/** The alert that OpenSSL chooses for a verification error (its table `x509table` in ssl/statem/statem_lib.c). */
export function alertFor(reason: string): Alert {
  return REASONS.get(reason) ?? 'certificate_unknown';
}

const REASONS = new Map<string, Alert>([
  ['CERT_REVOKED', 'certificate_revoked'],
  ['CERT_HAS_EXPIRED', 'certificate_expired'],
  ['CERT_NOT_YET_VALID', 'bad_certificate'],
  ['INVALID_PURPOSE', 'unsupported_certificate'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'unknown_ca'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unknown_ca'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unknown_ca'],
  ['UNABLE_TO_GET_CRL', 'unknown_ca'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unknown_ca'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown_ca'],
]);

/** A fatal alert before any key is in use: TLS 1.2 until ChangeCipherSpec (RFC 5246 section 7.2). */
export function plainAlert(alert: Alert): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, ALERTS[alert]]);
}

/** What {@link protectedAlert} can speak; a server that may need it offers no other. */
export const TLS13_SUITES = {
  TLS_AES_128_GCM_SHA256: { hash: 'sha256', cipher: 'aes-128-gcm', keyBytes: 16 },
  TLS_AES_256_GCM_SHA384: { hash: 'sha384', cipher: 'aes-256-gcm', keyBytes: 32 },
} as const;

type Suite = keyof typeof TLS13_SUITES;

function isSuite(name: string): name is Suite {
  return Object.hasOwn(TLS13_SUITES, name);
}

/**
 * A fatal alert as the server's first record under its application traffic secret: TLS 1.3 (RFC 8446 sections 5.2
 * and 7.3). `secret` is SERVER_TRAFFIC_SECRET_0 of the connection's key log.
 */
export function protectedAlert(alert: Alert, suiteName: string, secret: Buffer): Buffer {
  if (!isSuite(suiteName)) throw new Error(`No TLS 1.3 cipher suite: ${suiteName}`);
  const suite = TLS13_SUITES[suiteName];
  const key = expandLabel(suite.hash, secret, 'key', suite.keyBytes);
  // The nonce is the IV XOR the sequence number, which is zero here.
  const nonce = expandLabel(suite.hash, secret, 'iv', 12);
  const inner = Buffer.from([2, ALERTS[alert], 21]);
  const header = Buffer.from([23, 3, 3, 0, inner.length + 16]);
  const cipher = createCipheriv(suite.cipher, key, nonce, { authTagLength: 16 });
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

/** HKDF-Expand-Label with an empty context (RFC 8446 section 7.1); one block is enough for keys and IVs. */
function expandLabel(hash: string, secret: Buffer, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`, 'ascii');
  const info = Buffer.concat([Buffer.from([0, length, full.length]), full, Buffer.from([0])]);
  return createHmac(hash, secret)
    .update(info)
    .update(Buffer.from([1]))
    .digest()
    .subarray(0, length);
}
