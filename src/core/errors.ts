import { types } from 'node:util';

/**
 * The closed list of stable error codes. Programs act on the code, people read the message.
 * A code is never renamed or reused; the HTTP status of each is decided in `server/` alone.
 */
export type ErrorCode =
  // the request
  | 'invalid_input'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'method_not_allowed'
  | 'rate_limited'
  | 'not_found'
  | 'conflict'
  // who asks
  | 'unauthenticated'
  | 'permission_denied'
  | 'second_person_required'
  // uploads, keys and certificates
  | 'archive_rejected'
  | 'certificate_unreadable'
  | 'certificate_missing'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_not_for_clients'
  | 'chain_missing'
  | 'chain_untrusted'
  | 'key_unreadable'
  | 'key_missing'
  | 'key_password_required'
  | 'key_password_wrong'
  | 'key_mismatch'
  | 'key_too_weak'
  | 'key_seen_before'
  | 'environment_mismatch'
  | 'environment_required'
  // credentials and leases
  | 'no_current_version'
  | 'version_state'
  | 'rotation_state'
  | 'held'
  | 'lease_ended'
  | 'lease_superseded'
  | 'companion_missing'
  // key store
  | 'keystore_unavailable'
  | 'keystore_conflict'
  | 'keystore_corrupt'
  | 'keystore_in_use'
  | 'keystore_insecure'
  | 'keystore_rollback'
  | 'master_key_wrong'
  // issuers of certificates
  | 'issuer_unavailable'
  | 'issuer_refused'
  // ledger and log
  | 'ledger_unavailable'
  | 'ledger_corrupt'
  | 'ledger_in_use'
  | 'journal_unavailable'
  | 'audit_invalid'
  // backup and restore
  | 'backup_invalid'
  | 'backup_identity_wrong'
  | 'loss_not_accepted'
  // configuration
  | 'config_invalid'
  | 'policy_invalid'
  | 'profile_invalid'
  // the client library
  | 'connection_file_invalid'
  | 'server_unreachable'
  | 'server_untrusted'
  | 'receipt_invalid'
  | 'log_forked'
  | 'log_restored'
  | 'sealed_answer_invalid'
  | 'lease_expired'
  | 'host_not_allowed'
  | 'tls_option_refused'
  | 'partner_refused'
  | 'partner_unreachable'
  | 'client_closed'
  // anything else: a bug of ours
  | 'internal';

export interface KeyturnErrorOptions {
  /** What to do next, one imperative sentence, e.g. "Run keyturn init first." */
  readonly fix?: string;
  /** Facts for programs (numbers, names, fingerprints). Never a secret, never raw input. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
  readonly cause?: unknown;
}

/**
 * The one error class. `message` says what is wrong and where; `fix` says what to do next.
 * Neither ever contains key material, a token, a password or a parser's quote of its input.
 */
export class KeyturnError extends Error {
  override readonly name = 'KeyturnError';
  readonly code: ErrorCode;
  readonly fix: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, options: KeyturnErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fix = options.fix;
    this.facts = options.facts ?? {};
  }
}

/** A fault of ours, told as an error of ours: where nothing may be thrown that nobody expects. */
export function unexpected(cause: unknown): KeyturnError {
  return new KeyturnError('internal', 'Something unexpected failed.', { fix: 'See its cause, and report it.', cause });
}

/**
 * True for an error of any realm: a test runner that gives this code a context of its own hands it Node's errors, which
 * are no instances of the `Error` there.
 */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** True for a {@link KeyturnError}, narrowed to `code` when one is given. */
export function isKeyturnError(error: unknown, code?: ErrorCode): error is KeyturnError {
  return error instanceof KeyturnError && (code === undefined || error.code === code);
}
