import type { Desk } from '../../credential/desk.ts';
import type { Write } from '../../ledger/change.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import { openTask } from '../task/tasks.ts';
import { type Facts, factsOf } from './facts.ts';
import { legalOrders, type Order, type Standing } from './orders.ts';

/** For a decision, where no certificate ends sooner, milliseconds. */
const DECIDE_MS = 86_400_000;

/** What each order does, for whoever has to choose. */
const WORDS: Readonly<Record<Order, string>> = {
  retry: 'When the cause is gone, try the same step once more',
  resume: 'Go on with the new version, which is current',
  abort: 'Give it up; what it made is revoked, retired, destroyed',
  'roll-back': 'Make the old version current again',
};

/** What the rotation stands on besides its own row. */
export async function standingOf({ ledger }: Desk, row: RotationRow): Promise<Standing> {
  const { credential, replaces, version } = row;
  const [current] = await ledger.find('versions', { credential, state: 'current' });
  const [old] = replaces === null ? [] : await ledger.find('versions', { credential, version: replaces });
  const [fresh] = version === null ? [] : await ledger.find('versions', { credential, version });
  return { row, current: current?.version ?? null, old: old ?? null, fresh: fresh ?? null };
}

/** What is known when it goes on: of a share of the clients nothing was to be seen while it was halted. */
export function factsAfterHalt(row: RotationRow, now: number): Facts {
  const facts = factsOf(row);
  if (row.state !== 'halted' || row.step !== 'share' || facts.share === undefined) return facts;
  const until = facts.share.until + Math.max(0, now - row.changed_at);
  return { ...facts, share: { ...facts.share, until } };
}

/** Opens the task of a rotation that is about to be halted: it ends with the order that somebody gives. */
export async function decision(desk: Desk, row: RotationRow, why: string): Promise<Write> {
  const { credential } = row;
  const standing = await standingOf(desk, { ...row, state: 'halted' });
  const [current] = await desk.ledger.find('versions', { credential, state: 'current' });
  const now = desk.clock.now();
  const steps = legalOrders(standing).map(
    (order) => `${WORDS[order]}: keyturn rotation ${order} ${credential} --reason "…"`,
  );
  const body = { steps: [why, `See where it stands: keyturn rotation show ${credential}`, ...steps] };
  const title = `The rotation of ${credential} is halted at ${row.step}: decide how it goes on`;
  const dueAt = Math.max(now, Math.min(now + DECIDE_MS, current?.not_after ?? Number.POSITIVE_INFINITY));
  return openTask(row, { kind: 'decide', owner: row.asked_by, title, body, dueAt }, now);
}
