import type { KeyturnError } from '../core/errors.ts';

/** What a credential tells, each as the one argument of its event. Times are RFC 3339 or milliseconds, as named. */
export interface CredentialEvents {
  /** A lease was granted: the first one, or one after an end. */
  leased: [
    { readonly credential: string; readonly version: number; readonly lease: string; readonly expiresAt: string },
  ];
  renewed: [
    { readonly credential: string; readonly version: number; readonly lease: string; readonly expiresAt: string },
  ];
  /** New requests use version `to`; what runs on `from` goes on until `drained`. */
  rotated: [{ readonly credential: string; readonly from: number; readonly to: number }];
  /** No connection of `version` is left. `cut`: how many were ended by force at the drain's bound. */
  drained: [{ readonly credential: string; readonly version: number; readonly cut: number }];
  /** Trouble that the running lease survives until its end. */
  alarm: [{ readonly credential: string; readonly error: KeyturnError; readonly secondsLeft: number }];
  /** Failing closed: every request fails with `reason` from now on. It goes on asking for a new lease. */
  ended: [{ readonly credential: string; readonly reason: KeyturnError }];
  /** The partner refused us: by connection (`error`), or by an HTTP status that its profile lists (`status`). */
  refused: [
    {
      readonly credential: string;
      readonly version: number;
      readonly host: string;
      readonly error: KeyturnError | null;
      readonly status: number | null;
    },
  ];
}

/** What the client itself tells, besides all events of its credentials. */
export interface ClientEvents extends CredentialEvents {
  /** Something that should be put right, in one sentence; e.g. the modes of the token file. */
  warning: [{ readonly message: string }];
}

/** Listeners for every credential of a client. */
export type ClientListeners = { readonly [E in keyof ClientEvents]?: (event: ClientEvents[E][0]) => void };

/** A plain object of functions, each optional, e.g. over prom-client. They must not throw. */
export interface ClientMetrics {
  /** A call to Keyturn ended. `outcome`: `ok` or an error code. */
  leaseCall?(call: {
    readonly credential: string;
    readonly call: 'grant' | 'renew';
    readonly outcome: string;
    readonly milliseconds: number;
  }): void;
  /** A lease is held until `endsAt`, milliseconds since the epoch. */
  leaseHeld?(lease: { readonly credential: string; readonly version: number; readonly endsAt: number }): void;
  leaseEnded?(end: { readonly credential: string; readonly code: string }): void;
  swapped?(swap: { readonly credential: string; readonly from: number; readonly to: number }): void;
  /** A call to the partner failed. */
  partnerFailure?(failure: { readonly credential: string; readonly host: string; readonly code: string }): void;
}

/** Calls what an application handed in; its errors are its own, and reach it as uncaught ones. */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
