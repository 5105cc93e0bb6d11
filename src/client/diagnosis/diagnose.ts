import { KeyturnError } from '../../core/errors.ts';
import { alertOf, type TlsAlert, tlsFailureOf } from '../../core/tls-alert.ts';
import type { Refusal } from '../wire.ts';
import { type LocalCause, localCause, type Presented } from './local-cause.ts';
import { isTrustFailure } from './trust-failure.ts';

/** A call to the partner that failed, as Node saw it. */
export interface FailedCall {
  /** `host:port`. */
  readonly host: string;
  /** Node's code, e.g. `ECONNRESET`. */
  readonly code: string;
  /** Node's text: only looked at for what OpenSSL says, never passed on. */
  readonly message: string;
  /** `connect` or `getaddrinfo` when no connection came to be. */
  readonly syscall: string | null;
  /** The connection had carried a request before. */
  readonly reused: boolean;
  /** The response had begun. */
  readonly answered: boolean;
}

export interface Situation {
  readonly presented: Presented;
  /** What the partner's profile says a refusal looks like. */
  readonly refusals: readonly Refusal[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET', 'ERR_STREAM_PREMATURE_CLOSE']);
const UNCONNECTED = new Set(['connect', 'getaddrinfo']);

/**
 * Says why a call to the partner failed. What can be known for certain comes first: that we distrust *their*
 * certificate, or never got a connection; then what is wrong on our side; then what the partner said by an alert; then
 * what its profile lists as a refusal. "Revoked" is only ever said when an alert says so: a bare close looks the same
 * for a revoked certificate, an expired one, and an outage.
 *
 * The code is `partner_refused`, `partner_unreachable` or `server_untrusted`; `facts.cause` is finer, and
 * `facts.original` is Node's code.
 */
export function diagnose(call: FailedCall, situation: Situation): KeyturnError {
  if (isTrustFailure(call.code)) return theirCertificate(call, situation);
  if (isUnconnected(call) || call.answered) return unreachable(call, situation);
  const local = localCause(situation.presented, situation.now);
  if (local !== null) return ours(call, situation, local);
  const alert = alertOf(call.code, call.message);
  if (alert !== null) return alerted(call, situation, alert);
  const closed = !call.reused && CLOSED.has(call.code);
  if (closed && situation.refusals.some(({ kind }) => kind === 'close')) return closedOn(call, situation);
  const failure = tlsFailureOf(call.code, call.message);
  return failure === null ? unreachable(call, situation) : withoutTls(call, situation, failure);
}

/** Whether it may be the certificate's doing: a refusal, or a new connection that was ended without an answer. */
export function mayBeRefusal(call: FailedCall, { code }: KeyturnError): boolean {
  if (code === 'partner_refused') return true;
  if (code !== 'partner_unreachable' || call.answered || call.reused) return false;
  return CLOSED.has(call.code) && !isUnconnected(call);
}

function isUnconnected({ syscall }: FailedCall): boolean {
  return syscall !== null && UNCONNECTED.has(syscall);
}

function facts(call: FailedCall, { presented }: Situation, cause: string) {
  return { cause, original: call.code, host: call.host, version: presented.version };
}

function theirCertificate(call: FailedCall, situation: Situation): KeyturnError {
  return new KeyturnError(
    'server_untrusted',
    `We do not trust the certificate that ${call.host} shows (${call.code}). Ours was not judged.`,
    {
      fix: 'Compare the server trust in the partner profile with what the partner publishes.',
      facts: { ...facts(call, situation, 'partner_certificate'), side: 'partner' },
    },
  );
}

function ours(call: FailedCall, situation: Situation, { cause, message, fix }: LocalCause): KeyturnError {
  return new KeyturnError('partner_refused', `${call.host} ended the connection, and ${message}.`, {
    fix,
    facts: facts(call, situation, cause),
  });
}

function alerted(call: FailedCall, situation: Situation, alert: TlsAlert): KeyturnError {
  const what = alert.aboutCertificate ? 'refused our certificate' : 'ended the TLS handshake';
  return new KeyturnError('partner_refused', `${call.host} ${what} with the alert ${alert.name}.`, {
    fix: alert.aboutCertificate
      ? 'Ask the partner about this certificate; import and promote a new one if it is dead.'
      : 'Compare TLS versions and cipher suites with what the partner demands.',
    facts: { ...facts(call, situation, 'alert'), alert: alert.name, alertNumber: alert.number },
  });
}

function closedOn(call: FailedCall, situation: Situation): KeyturnError {
  return new KeyturnError(
    'partner_refused',
    `${call.host} closed the connection before it answered: so its profile describes a refused certificate. An outage can look the same.`,
    {
      fix: 'Try another client certificate of this partner; if that works, this one is dead.',
      facts: facts(call, situation, 'close'),
    },
  );
}

/** Our side of TLS could not go on: the port speaks something else, or the two have too little in common. */
function withoutTls(call: FailedCall, situation: Situation, failure: string): KeyturnError {
  return new KeyturnError('partner_unreachable', `TLS with ${call.host} failed: ${failure} (${call.code}).`, {
    fix: 'Check that this port speaks TLS, and compare TLS versions and cipher suites with what the partner demands.',
    facts: facts(call, situation, 'tls'),
  });
}

function unreachable(call: FailedCall, situation: Situation): KeyturnError {
  const keptClosed = call.reused && CLOSED.has(call.code);
  const how = call.answered ? 'broke off its answer' : keptClosed ? 'closed a kept connection' : 'could not be reached';
  return new KeyturnError('partner_unreachable', `${call.host} ${how} (${call.code}).`, {
    fix: keptClosed ? 'Repeat the request if it may be repeated.' : 'Check the network and the partner’s status.',
    facts: facts(call, situation, keptClosed ? 'kept_connection_closed' : 'network'),
  });
}
