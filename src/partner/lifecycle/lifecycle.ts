import type { z } from 'zod';
import type { hours, issuance, revocation, swap, testRequest } from './schema.ts';

/** How certificates of one environment come to be and die, as the partner's profile says. Durations in seconds. */
export interface Lifecycle {
  readonly issuance: Issuance;
  readonly revocation: Revocation;
  /** Null when the partner works at any time. */
  readonly hours: z.output<typeof hours> | null;
  /** Null when the profile names no way to try a certificate. */
  readonly test: TestRequest | null;
  /** Null when a new version goes to all clients at once. */
  readonly swap: Swap | null;
}

/**
 * `share`: part of the client processes that get a new version first. `for`: how long they are watched. They are too many
 * `failures`, when these are by more than `beyond`, a part of the requests, more frequent than those of all others.
 */
export type Swap = z.output<typeof swap>;

/**
 * `issuer`: `manual`, or an issuer of the configuration. `key`: who makes it. `live`: most certificates that the
 * partner accepts at once; where it is 1, a new certificate kills the old one as it is issued. `lifetime`: what the
 * partner issues. `leadTime`: how long it takes at most. `portal`: what a person does there, step by step.
 */
export type Issuance = z.output<typeof issuance>;

/**
 * `by`: whether the issuer revokes when it is told to, or a person is asked. `contact`: the role that is asked.
 * `reasons`: whether a reason code is taken. `propagation`: how long a revocation takes to reach every server.
 * `deadline`: when a certificate that is still accepted becomes an alarm.
 */
export type Revocation = z.output<typeof revocation>;

export interface TestRequest {
  /** `host:port` of an mTLS endpoint of the profile. */
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Header → name of the companion secret that it carries. */
  readonly companions: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Statuses that say that the certificate was accepted. */
  readonly expect: readonly number[];
  /** Answers that say that the certificate is not registered there (yet), by status and, where given, a piece of the body. */
  readonly unregistered: readonly { readonly status: number; readonly contains?: string | undefined }[];
  readonly timeoutSeconds: number;
}

export type WrittenTest = z.output<typeof testRequest>;
