/** A fatal alert that the other side sent. */
export interface TlsAlert {
  /** RFC 8446 section 6. */
  readonly number: number;
  /** As the RFC writes it, e.g. `certificate_revoked`. */
  readonly name: string;
  /** True when the alert is about the client's certificate. */
  readonly aboutCertificate: boolean;
}

/** RFC 8446 section 6.2; 41 is of SSL 3 and still sent by some for a missing certificate. */
const ALERTS = new Map<number, readonly [name: string, aboutCertificate: boolean]>([
  [20, ['bad_record_mac', false]],
  [40, ['handshake_failure', false]],
  [41, ['no_certificate', true]],
  [42, ['bad_certificate', true]],
  [43, ['unsupported_certificate', true]],
  [44, ['certificate_revoked', true]],
  [45, ['certificate_expired', true]],
  [46, ['certificate_unknown', true]],
  [47, ['illegal_parameter', false]],
  [48, ['unknown_ca', true]],
  [49, ['access_denied', true]],
  [50, ['decode_error', false]],
  [51, ['decrypt_error', false]],
  [70, ['protocol_version', false]],
  [71, ['insufficient_security', false]],
  [80, ['internal_error', false]],
  [109, ['missing_extension', false]],
  [112, ['unrecognized_name', false]],
  [113, ['bad_certificate_status_response', false]],
  [116, ['certificate_required', true]],
  [120, ['no_application_protocol', false]],
]);

/**
 * The alert behind an error of Node, null when there was none. OpenSSL writes the number at the end of its text;
 * where only a code is left (`ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED`, `ERR_SSL_SSL/TLS_ALERT_…` from OpenSSL 3.2
 * on) the name is in the code.
 */
export function alertOf(code: string, message: string): TlsAlert | null {
  const number = /SSL alert number (\d{1,3})/.exec(message)?.[1];
  if (number !== undefined) return alertNumbered(Number(number));
  const name = /^ERR_SSL_[A-Z0-9/]+_ALERT_([A-Z_]+)$/.exec(code)?.[1]?.toLowerCase();
  if (name === undefined) return null;
  for (const [known, [knownName]] of ALERTS) if (knownName === name) return alertNumbered(known);
  return { number: 0, name, aboutCertificate: false };
}

/**
 * Why our own side gave up TLS, in OpenSSL's words, e.g. `wrong version number` where a port speaks plain HTTP; null when
 * that is not what failed. OpenSSL writes `error:0A00010B:SSL routines:function:reason:file:line:`.
 */
export function tlsFailureOf(code: string, message: string): string | null {
  if (code !== 'EPROTO' && !code.startsWith('ERR_SSL_')) return null;
  const reason = /:SSL routines:[^:]{0,80}:([a-z0-9 /_-]{1,80}):/i.exec(message)?.[1];
  return reason ?? 'the other side does not speak it as we do';
}

function alertNumbered(number: number): TlsAlert {
  const [name, aboutCertificate] = ALERTS.get(number) ?? [`alert_${number}`, false];
  return { number, name, aboutCertificate };
}
