import type { JsonObject } from '../../../core/canonical-json.ts';
import { timestamp } from '../../../core/clock.ts';
import type { Share } from '../../../credential/lease/share.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { VersionRow } from '../../../ledger/tables.ts';
import type { Swap } from '../../../partner/profile.ts';
import type { ShareSeen, UsesSeen } from '../../workflow/facts.ts';
import { UNDO_DRAINED } from '../../workflow/path.ts';
import { halt, next, type StepContext, type StepHandler, undo, wait } from '../../workflow/step.ts';
import { currentOf, isHeld } from './promote.ts';
import { isWorse } from './tally.ts';

/** Leases are so much shorter than the time that is watched, but no shorter than this, seconds. */
const REPORTS = 4;
const SHORTEST_LEASE = 10;

/**
 * A share of the clients gets the staged version first, and what they report of it is held against what all others report
 * of the current one. Worse, and it is taken back by itself; else it goes on to everybody when the time is over. Only a
 * version that the partner was seen to accept is lent: where the canary was waived, nobody is first.
 */
export const shareFirst: StepHandler = async (context) => {
  const { row, facts, desk, environment } = context;
  const fresh = await findVersion(desk, row.credential, row.version ?? 0);
  const current = await currentOf(desk, row.credential);
  // Nobody to be held against: what follows, or hinders that, is for the promotion to say.
  if (fresh.state !== 'staged' || current?.version !== row.replaces) return next();
  if (await isHeld(desk, fresh)) return halt(`Version ${fresh.version} is frozen.`);
  if (facts.share !== undefined) return watch(context, fresh, facts.share);
  const { swap } = environment.lifecycle;
  return swap === null || facts.canary?.verdict !== 'accepted' ? next() : open(context, fresh, swap);
};

function open({ desk, now, pace }: StepContext, fresh: VersionRow, swap: Swap) {
  const share: Share = {
    of: swap.share,
    since: now(),
    until: now() + swap.for * 1000,
    leaseSeconds: Math.max(SHORTEST_LEASE, Math.ceil(swap.for / REPORTS)),
    from: desk.ledger.status().size,
    failures: swap.failures,
    beyond: swap.beyond,
  };
  const data = { of: String(share.of), until: timestamp(share.until), spki: fresh.spki };
  return wait(watching(fresh, share), pace.lookMs, {
    facts: { share },
    entry: { kind: 'version.shared', version: fresh.version, data },
  });
}

async function watch(context: StepContext, fresh: VersionRow, share: Share) {
  const { desk, row, now, pace, tallies } = context;
  const seen = await tallies.of(desk, row, share);
  const over = now() >= share.until;
  const data = { fresh: figures(seen.fresh), old: figures(seen.old) };
  if (isWorse(seen, share, over)) {
    tallies.forget(row.id);
    const why = `Version ${fresh.version} was taken back: ${told(seen)}.`;
    return undo(why, UNDO_DRAINED, {
      facts: { shareSeen: seen },
      checks: [{ rule: 'version-state', table: 'versions', some: { ...keyOf(fresh), state: 'staged' } }],
      entry: rollingBack(fresh, why, data),
    });
  }
  if (!over) return wait(watching(fresh, share), Math.min(pace.lookMs, share.until - now()));
  const unheard = seen.fresh.heard === 0;
  if (unheard && share.unheard !== true) return watchLonger(context, fresh, share);
  tallies.forget(row.id);
  const passed = { ...data, ...(unheard ? { unheard } : {}), done: row.step };
  const entry = { kind: 'rotation.share-passed', version: fresh.version, data: passed };
  return next({ facts: { shareSeen: seen }, entry });
}

/** Once, as long again: a time in which nobody tried it has shown nothing. */
function watchLonger({ environment, now, pace }: StepContext, fresh: VersionRow, share: Share) {
  const seconds = environment.lifecycle.swap?.for ?? share.leaseSeconds * REPORTS;
  const longer = { ...share, until: now() + seconds * 1000, unheard: true };
  return wait(watching(fresh, longer), pace.lookMs, { facts: { share: longer } });
}

/** As an entry holds them: whole numbers, and text. */
function figures({ rate, failingOf, ...counts }: UsesSeen): JsonObject {
  return { ...counts, failingOf: [...failingOf], rate: rate.toFixed(4) };
}

function keyOf({ credential, version }: VersionRow) {
  return { credential, version };
}

function rollingBack({ version }: VersionRow, why: string, seen: JsonObject) {
  return { kind: 'rotation.rolling-back', version, data: { ...seen, why } };
}

function watching({ version }: VersionRow, { of, until, unheard }: Share): string {
  const part = Math.round(of * 100);
  if (unheard === true) {
    const none = `None of the ${part} % of the clients that have version ${version} first reported a request with it in time`;
    return `${none}: watched until ${timestamp(until)}, then it goes on all the same.`;
  }
  return `${part} % of the clients have version ${version} first, until ${timestamp(until)} unless it fails them.`;
}

function told({ fresh, old }: ShareSeen): string {
  const seenBy = `seen by ${fresh.failing} of ${fresh.clients} clients (${fresh.failingOf.join(', ')})`;
  const others = `with the current one ${old.failures} of ${old.requests}`;
  return `${fresh.failures} of ${fresh.requests} requests with it failed, ${seenBy}, ${others}`;
}
