import { KeyturnError } from '../../../core/errors.ts';

interface Traits {
  /** Whether it is certain that what was asked did not happen. */
  readonly certain: boolean;
  /** When it may be asked again: at any rate, only if asking twice is asking once, or never. */
  readonly retry: 'any' | 'repeatable' | 'never';
  /** Whether it speaks against the server's health, and so counts toward opening the circuit. */
  readonly trips: boolean;
}

/** Why Vault did not do what was asked; stands in an error's facts as `reason`, for doctor and metrics. */
export const REASONS = {
  unreachable: { certain: true, retry: 'any', trips: true },
  tls: { certain: true, retry: 'never', trips: true },
  proxy: { certain: true, retry: 'never', trips: true },
  lost: { certain: false, retry: 'repeatable', trips: true },
  timeout: { certain: false, retry: 'repeatable', trips: true },
  sealed: { certain: true, retry: 'never', trips: true },
  not_initialised: { certain: true, retry: 'never', trips: true },
  standby: { certain: true, retry: 'any', trips: false },
  behind: { certain: true, retry: 'any', trips: false },
  throttled: { certain: true, retry: 'any', trips: false },
  server_error: { certain: false, retry: 'repeatable', trips: true },
  not_vault: { certain: false, retry: 'repeatable', trips: true },
  redirected: { certain: true, retry: 'never', trips: false },
  bad_request: { certain: true, retry: 'never', trips: false },
  forbidden: { certain: true, retry: 'never', trips: false },
  token: { certain: true, retry: 'never', trips: false },
  login: { certain: true, retry: 'never', trips: false },
  no_mount: { certain: true, retry: 'never', trips: false },
  circuit_open: { certain: true, retry: 'never', trips: false },
  closed: { certain: true, retry: 'never', trips: false },
} as const satisfies Record<string, Traits>;

export type Reason = keyof typeof REASONS;

export interface VaultErrorOptions {
  readonly fix?: string;
  readonly status?: number;
  /** Behind `/v1/`. */
  readonly path?: string;
  /** Origin of a proxy on the way to it. */
  readonly proxy?: string;
  /** What the server asks us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * A `keystore_unavailable` with its reason. What a library threw is never its cause: it may hold the token.
 * A 403 of the store is not our `permission_denied`: that code would tell our own client that it was refused.
 */
export function vaultError(reason: Reason, message: string, options: VaultErrorOptions = {}): KeyturnError {
  const { fix, status, path, proxy, retryAfterMs } = options;
  return new KeyturnError('keystore_unavailable', message, {
    ...(fix === undefined ? {} : { fix }),
    facts: {
      reason,
      certain: REASONS[reason].certain,
      ...(status === undefined ? {} : { status }),
      ...(path === undefined ? {} : { path }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

/** Null for an error that does not come from here. */
export function reasonOf(error: unknown): Reason | null {
  if (!(error instanceof KeyturnError)) return null;
  const { reason } = error.facts;
  return typeof reason === 'string' && isReason(reason) ? reason : null;
}

/** Whether what was asked may have happened. */
export function isUnclear(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason !== null && !REASONS[reason].certain;
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}
