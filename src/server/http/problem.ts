import type { ErrorCode } from '../../core/errors.ts';
import { KeyturnError } from '../../core/errors.ts';

/** HTTP status of each code: the only place where codes and HTTP meet. The compiler proves it complete. */
export const STATUS_OF = {
  invalid_input: 400,
  payload_too_large: 413,
  unsupported_media_type: 415,
  method_not_allowed: 405,
  rate_limited: 429,
  not_found: 404,
  conflict: 409,
  unauthenticated: 401,
  permission_denied: 403,
  second_person_required: 403,
  archive_rejected: 422,
  certificate_unreadable: 422,
  certificate_missing: 422,
  certificate_expired: 422,
  certificate_not_yet_valid: 422,
  certificate_not_for_clients: 422,
  chain_missing: 422,
  chain_untrusted: 422,
  key_unreadable: 422,
  key_missing: 422,
  key_password_required: 422,
  key_password_wrong: 422,
  key_mismatch: 422,
  key_too_weak: 422,
  key_seen_before: 409,
  environment_mismatch: 422,
  environment_required: 422,
  no_current_version: 409,
  version_state: 409,
  rotation_state: 409,
  held: 403,
  lease_ended: 409,
  lease_superseded: 409,
  companion_missing: 404,
  keystore_unavailable: 503,
  keystore_conflict: 409,
  keystore_corrupt: 500,
  keystore_in_use: 503,
  keystore_insecure: 500,
  keystore_rollback: 500,
  master_key_wrong: 500,
  issuer_unavailable: 503,
  issuer_refused: 422,
  ledger_unavailable: 503,
  ledger_corrupt: 500,
  ledger_in_use: 503,
  journal_unavailable: 503,
  audit_invalid: 500,
  backup_invalid: 422,
  backup_identity_wrong: 422,
  loss_not_accepted: 409,
  config_invalid: 500,
  policy_invalid: 422,
  profile_invalid: 422,
  connection_file_invalid: 500,
  server_unreachable: 500,
  server_untrusted: 500,
  receipt_invalid: 500,
  log_forked: 409,
  log_restored: 409,
  sealed_answer_invalid: 500,
  lease_expired: 500,
  host_not_allowed: 500,
  tls_option_refused: 500,
  partner_refused: 500,
  partner_unreachable: 500,
  client_closed: 500,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** RFC 9457 section 3: the members of every error answer, with our extension members. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly fix?: string;
  readonly request: string;
}

/**
 * What the caller may read of an error. Anything that is not a KeyturnError is a bug of ours: its text stays inside.
 * `type` is a stable URN: it names the code, nothing has to be fetched.
 */
export function problemOf(error: unknown, request: string): ProblemDocument {
  const known = error instanceof KeyturnError && error.code !== 'internal' ? error : null;
  const code = known?.code ?? 'internal';
  return {
    type: `urn:keyturn:problem:${code}`,
    title: code.replaceAll('_', ' '),
    status: STATUS_OF[code],
    code,
    request,
    ...(known === null || isInside(code) ? inside(code) : outside(known)),
  };
}

/** True for what went wrong on the server's own host: its text may name files there, so it goes to the log alone. */
export function isInside(code: ErrorCode): boolean {
  return STATUS_OF[code] >= 500 && code !== 'ledger_unavailable';
}

function inside(code: ErrorCode): Pick<ProblemDocument, 'detail' | 'fix'> {
  const later = STATUS_OF[code] === 503;
  return {
    detail: later
      ? 'A part of the server that this needs is not available; its log tells why under this request id.'
      : 'Something went wrong inside Keyturn; the server’s log has it under this request id.',
    fix: later
      ? 'Try again in a moment; if it stays so, tell whoever runs the server.'
      : 'Tell whoever runs the server.',
  };
}

function outside({ message, fix }: KeyturnError): Pick<ProblemDocument, 'detail' | 'fix'> {
  return { detail: message, ...(fix === undefined ? {} : { fix }) };
}
