import { parseEntry } from '../../../audit/recorded.ts';
import type { Desk } from '../../../credential/desk.ts';
import { versionSubject } from '../../../credential/hold/hold-switch.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import { moveVersion } from '../../../credential/version/states.ts';
import type { VersionRow } from '../../../ledger/tables.ts';
import { type Facts, waiverOf } from '../../workflow/facts.ts';
import { halt, leaving, next, type StepHandler, wait } from '../../workflow/step.ts';
import { holdersOf, liveOn } from './holders.ts';
import { outageOf } from './outage.ts';
import { type Successor, successorOf } from './successor.ts';

/** What a person takes upon themselves with the waiver. */
const NO_MATTER_WHAT: Successor = { fate: 'usable', checks: [] };

/**
 * Until nobody uses the version that leaves: no live lease on it, and the longest request since the end of the last one
 * has passed. Whoever was given another version is waited for as if their lease still ran, until they say that they use
 * this one no more. What was revealed never drains: a person waives it by name. While its successor is frozen or compromised
 * it is kept, to be gone back to. Then its use is over for good. A key that has leaked is waited with for nobody's copy, and
 * once it is frozen for nobody at all: whoever may still use it is whom it has to be taken from.
 */
export const drain: StepHandler = async (context) => {
  const { desk, row, facts, now, pace } = context;
  const number = leaving(row);
  if (number === null) return next();
  const version = await findVersion(desk, row.credential, number);
  if (version.state === 'retired' || version.state === 'destroyed') return next();
  if (version.state === 'compromised') return next({ facts: { drainedAt: now() } });
  if (version.state === 'current') return halt(`Version ${number} is current again, and can't be retired.`);
  const pressing = row.reason === 'compromised' && facts.undone === undefined;
  const waived = waiverOf(facts, 'drain') !== null || (pressing && (await isFrozen(desk, version)));
  const successor = waived ? NO_MATTER_WHAT : await successorOf(context);
  if (successor.fate === 'compromised') {
    return halt(
      `Version ${row.version} is compromised: version ${number} is not retired, so that it can be gone back to.`,
    );
  }
  const { live, unsaid, lastEnd } = await holdersOf(desk, version, now(), now() - pace.longestRequestMs);
  if (live.length > 0 && !waived) return wait(`Leases are live on version ${number}.`, pace.lookMs);
  const revealed = pressing ? [] : await unwaived(desk, version, facts);
  if (revealed.length > 0) {
    const names = revealed.join(', ');
    return wait(`Version ${number} was revealed to ${names}; such a copy never drains: waive it by name.`, pace.lookMs);
  }
  const left = lastEnd + pace.longestRequestMs - now();
  if (!waived && left > 0) {
    return unsaid.length > 0
      ? wait(
          `Clients that have another version have not said yet that they use version ${number} no more.`,
          pace.lookMs,
        )
      : wait(`No lease is left on version ${number}; requests under way may take until their end.`, left);
  }
  if (successor.fate === 'frozen') {
    return wait(
      `Version ${row.version} is frozen: until it is thawed, version ${number} is kept to go back to.`,
      pace.lookMs,
    );
  }
  const outage = facts.way.live === 1 && row.state !== 'undoing' ? await outageOf(desk, row, facts) : null;
  return next({
    facts: { drainedAt: now(), ...(outage === null ? {} : { outage }) },
    checks: waived ? [] : [...successor.checks, { rule: 'leases-live', table: 'leases', none: liveOn(version, now()) }],
    writes: [moveVersion(version, 'retired', now())],
    entry: {
      kind: 'version.retired',
      version: version.version,
      data: {
        spki: version.spki,
        from: version.state,
        liveLeases: live.length,
        done: row.step,
        ...(outage === null ? {} : { outage: { ...outage } }),
      },
    },
  });
};

async function isFrozen({ ledger }: Desk, { credential, version }: VersionRow): Promise<boolean> {
  const subject = { in: [credential, versionSubject(credential, version)] };
  return (await ledger.count('holds', { target: { in: ['credential', 'version'] }, subject, lifted_at: null })) > 0;
}

/** Persons whom the key was revealed to, and whose copy nobody has waived. */
export async function unwaived(
  desk: Desk,
  { credential, version }: VersionRow,
  { waivers = [] }: Facts,
): Promise<string[]> {
  const entries = await desk.ledger.entries({ credential, kind: 'key.revealed', limit: 10_000 });
  const persons = entries
    .map(({ json }) => parseEntry(json))
    .filter((entry) => entry.version === version)
    .map(({ actor }) => actor);
  const waived = new Set(waivers.filter(({ what }) => what === 'holder').map(({ subject }) => subject));
  return [...new Set(persons)].filter((person) => !waived.has(person)).sort();
}
