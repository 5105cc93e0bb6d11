/** What Node, OpenSSL or libuv call an error; `unknown` where there is no such name. What others wrote into one is not let through. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : 'unknown';
}

const CERTIFICATE =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|ERR_SSL_|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/;

/** Whether a server was reached, and its handshake failed or its certificate was refused. */
export function isCertificateCode(code: string): boolean {
  return CERTIFICATE.test(code);
}
