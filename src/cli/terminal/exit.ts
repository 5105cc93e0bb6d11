import type { ErrorCode } from '../../core/errors.ts';

/**
 * Exit codes, stable: scripts rely on them. 0 is success.
 * `keyturn --help` prints this list.
 */
export const EXIT = {
  failure: 1,
  usage: 2,
  denied: 3,
  notFound: 4,
  conflict: 5,
  unavailable: 6,
  attention: 10,
} as const;

export const EXIT_HELP = `Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found, 5 conflict,
6 server or store not available, 10 done but something needs attention.`;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  invalid_input: EXIT.usage,
  environment_required: EXIT.usage,
  key_password_required: EXIT.usage,
  unauthenticated: EXIT.denied,
  permission_denied: EXIT.denied,
  second_person_required: EXIT.denied,
  held: EXIT.denied,
  not_found: EXIT.notFound,
  companion_missing: EXIT.notFound,
  conflict: EXIT.conflict,
  key_seen_before: EXIT.conflict,
  loss_not_accepted: EXIT.conflict,
  version_state: EXIT.conflict,
  rotation_state: EXIT.conflict,
  no_current_version: EXIT.conflict,
  server_unreachable: EXIT.unavailable,
  keystore_unavailable: EXIT.unavailable,
  ledger_unavailable: EXIT.unavailable,
  ledger_in_use: EXIT.unavailable,
  keystore_in_use: EXIT.unavailable,
  issuer_unavailable: EXIT.unavailable,
  journal_unavailable: EXIT.unavailable,
};

export function exitCodeOf(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.failure;
}
