import { alertOf } from '../../core/tls-alert.ts';
import type { Asked } from './ask.ts';
import type { ProbeRefusal, ProbeRequest } from './request.ts';

/**
 * `accepted`: the partner answered as its profile says that it does to a good certificate. `refused`: a TLS alert about
 * the certificate, or the answer that the profile lists as a refusal. `inconclusive`: all else; nothing follows from it.
 */
export interface Verdict {
  readonly verdict: 'accepted' | 'refused' | 'inconclusive';
  /** Stable, for programs: `status`, `alert`, `close`, `timeout`, `network`, `server_untrusted`, … */
  readonly cause: string;
  /** For people. No secret. */
  readonly detail: string;
}

/** How a connection ends that the other side closes without a word. */
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_ALTNAME_INVALID$|INVALID_CA$|PATH_LENGTH_|HOSTNAME_MISMATCH$)/;

type Answers = Pick<ProbeRequest, 'expect' | 'unregistered'>;

export function judge(asked: Asked, answers: Answers, refusals: readonly ProbeRefusal[]): Verdict {
  if (asked.answer === 'timeout') return inconclusive('timeout', 'No answer in time.');
  if (asked.answer === 'status') return ofStatus(asked, answers, refusals);
  const { code, message, shown } = asked;
  if (UNTRUSTED.test(code)) {
    return inconclusive('server_untrusted', `We do not trust the partner's own certificate (${code}).`);
  }
  const alert = alertOf(code, message);
  if (alert?.aboutCertificate === true) {
    return { verdict: 'refused', cause: 'alert', detail: `The TLS alert ${alert.name}.` };
  }
  if (alert !== null)
    return inconclusive('alert_other', `The TLS alert ${alert.name}, which is not about a certificate.`);
  if (shown && CLOSED.has(code) && refusals.some(({ kind }) => kind === 'close')) {
    return {
      verdict: 'refused',
      cause: 'close',
      detail: 'The connection was closed when our certificate had been shown, as listed.',
    };
  }
  return inconclusive('network', `The connection failed (${code}).`);
}

function ofStatus(
  { status, body }: Extract<Asked, { answer: 'status' }>,
  { expect, unregistered = [] }: Answers,
  refusals: readonly ProbeRefusal[],
): Verdict {
  if (expect.includes(status)) return { verdict: 'accepted', cause: 'status', detail: `HTTP ${status}, as expected.` };
  const text = body.toLowerCase();
  if (unregistered.some((one) => one.status === status && text.includes((one.contains ?? '').toLowerCase()))) {
    const detail = `HTTP ${status}, by which it says that the certificate is not registered there.`;
    return { verdict: 'refused', cause: 'not_registered', detail };
  }
  if (refusals.some((refusal) => refusal.kind === 'status' && refusal.status === status)) {
    return { verdict: 'refused', cause: 'status', detail: `HTTP ${status}, which is listed as a refusal.` };
  }
  return inconclusive('status_other', `HTTP ${status}, neither expected nor listed as a refusal.`);
}

function inconclusive(cause: string, detail: string): Verdict {
  return { verdict: 'inconclusive', cause, detail };
}
