import type { RotationRow } from '../../ledger/tables.ts';
import type { DueFacts, DueReason } from './check.ts';

/** The newest rotation of a credential, as far as it matters here. */
export type LastRotation = Pick<RotationRow, 'state' | 'reason' | 'version' | 'ended_at'>;

/** Somebody who gave up minutes before the end is not asked again at once either, milliseconds. */
const SHORTEST_REST_MS = 10 * 60_000;

/**
 * Until when a credential is left alone after its last rotation, milliseconds since the epoch; 0 when it need not be.
 *
 * After one that was aborted or rolled back somebody has to see to why: for the cool-down, or a quarter of the time that
 * the certificate has left, where that is shorter. After one that was completed, and whose reason holds again of the very
 * version that it made (a partner whose CA ends goes on issuing from it), for half of the time that is left: more of the
 * same cures nothing, and never is too late.
 */
export function restsUntil(facts: DueFacts, reason: DueReason, last: LastRotation | null, coolDownMs: number): number {
  if (last === null || last.ended_at === null) return 0;
  const end = Math.min(facts.notAfter, facts.issuerEndsAt ?? Number.POSITIVE_INFINITY);
  const left = Math.max(0, end - last.ended_at);
  if (last.state !== 'completed') return last.ended_at + Math.max(SHORTEST_REST_MS, Math.min(coolDownMs, left / 4));
  if (last.version !== facts.version || last.reason !== reason) return 0;
  return last.ended_at + Math.max(SHORTEST_REST_MS, left / 2);
}
