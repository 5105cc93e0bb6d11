import { KeyturnError } from '../../../core/errors.ts';

interface Traits {
  /** Whether it is certain that an attempt which ended so did nothing. */
  readonly certain: boolean;
  /** Whether it speaks against the service's health, and so counts toward opening the circuit. */
  readonly trips: boolean;
}

/** Why AWS did not do what was asked; stands in an error's facts as `reason`, for doctor and metrics. */
export const REASONS = {
  unreachable: { certain: true, trips: true },
  tls: { certain: true, trips: true },
  proxy: { certain: true, trips: true },
  lost: { certain: false, trips: true },
  timeout: { certain: false, trips: true },
  server_error: { certain: false, trips: true },
  not_aws: { certain: false, trips: true },
  throttled: { certain: true, trips: false },
  credentials: { certain: true, trips: false },
  token_expired: { certain: true, trips: false },
  clock_skew: { certain: true, trips: false },
  forbidden: { certain: true, trips: false },
  kms: { certain: true, trips: false },
  quota: { certain: true, trips: false },
  bad_request: { certain: true, trips: false },
  absent: { certain: true, trips: false },
  exists: { certain: true, trips: false },
  invalid_state: { certain: true, trips: false },
  not_visible: { certain: false, trips: false },
  circuit_open: { certain: true, trips: false },
  closed: { certain: true, trips: false },
} as const satisfies Record<string, Traits>;

export type Reason = keyof typeof REASONS;

export interface AwsErrorOptions {
  readonly fix?: string;
  /** Default: what the reason's own traits say. False where an earlier attempt of the same call may have acted. */
  readonly certain?: boolean;
  readonly facts?: Readonly<Record<string, string>>;
}

/**
 * A `keystore_unavailable` with its reason. What the SDK threw is never its cause: it holds request and response.
 * A denial by AWS is not our `permission_denied`: that code would tell our own client that it was refused.
 */
export function awsError(reason: Reason, message: string, options: AwsErrorOptions = {}): KeyturnError {
  const { fix, certain = REASONS[reason].certain, facts = {} } = options;
  return new KeyturnError('keystore_unavailable', message, {
    ...(fix === undefined ? {} : { fix }),
    facts: { ...facts, reason, certain },
  });
}

/** Null for an error that does not come from here. */
export function reasonOf(error: unknown): Reason | null {
  if (!(error instanceof KeyturnError)) return null;
  const { reason } = error.facts;
  return typeof reason === 'string' && isReason(reason) ? reason : null;
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}
