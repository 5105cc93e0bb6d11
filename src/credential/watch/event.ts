import { parseEntry } from '../../audit/recorded.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { HOLD_TARGETS, type HoldTarget } from '../../ledger/tables.ts';
import { credentialOf } from '../hold/credential-of.ts';

/** Something after which a client had better ask anew. It decides nothing: what the client then gets, it asks for. */
export interface WatchEvent {
  /** Index of the entry that it tells of; null for a freeze that has not reached the log. */
  readonly index: number | null;
  readonly what: 'promoted' | 'share' | 'frozen' | 'thawed' | 'companion' | 'policy' | 'resync';
  /** Whose clients it concerns; null for those of all credentials. */
  readonly credential: string | null;
  readonly version: number | null;
  /** The only principal that it concerns; null for all. */
  readonly principal: string | null;
  /** The only address, as this server sees it, whose clients it concerns; null for all. */
  readonly host: string | null;
}

/** Kinds of entries that lead to an event. A watcher costs a query for each when something was recorded. */
export const WATCHED_KINDS = [
  'version.imported',
  'version.promoted',
  'version.shared',
  'rotation.rolling-back',
  'rotation.abort-asked',
  'hold.placed',
  'hold.lifted',
  'companion.set',
  'policy.loaded',
] as const;

/** The event of an entry of one of {@link WATCHED_KINDS}; null for one that changes nothing for clients. */
export function eventOf(json: string): WatchEvent | null {
  const { index, kind, credential = null, version = null, data } = parseEntry(json);
  const all = { index, credential, version, principal: null, host: null };
  switch (kind) {
    case 'version.promoted':
      return { ...all, what: 'promoted' };
    case 'version.shared':
    case 'rotation.rolling-back':
    case 'rotation.abort-asked':
      return { ...all, what: 'share' };
    case 'version.imported':
      return data['state'] === 'current' ? { ...all, what: 'promoted' } : null;
    case 'companion.set':
      return { ...all, what: 'companion' };
    case 'policy.loaded':
      return { ...all, what: 'policy' };
    case 'hold.placed':
    case 'hold.lifted':
      return ofHold(index, kind, data);
    default:
      return null;
  }
}

/** The event of a freeze that this process was told of, before the ledger was. */
export function frozenHere(target: HoldTarget, subject: string): WatchEvent {
  return { ...held(target, subject, 'frozen'), index: null };
}

function ofHold(
  index: number,
  kind: 'hold.placed' | 'hold.lifted',
  { target, subject }: JsonObject,
): WatchEvent | null {
  const known = HOLD_TARGETS.find((one) => one === target);
  if (known === undefined || typeof subject !== 'string') return null;
  return { ...held(known, subject, kind === 'hold.placed' ? 'frozen' : 'thawed'), index };
}

/**
 * Whom a hold concerns. Which credentials rest in a store is not known here: all are told to ask anew, and not that they
 * are frozen, for then the clients of every other store would stop too while no server can be asked.
 */
function held(target: HoldTarget, subject: string, what: 'frozen' | 'thawed'): Omit<WatchEvent, 'index'> {
  const version = target === 'version' ? Number(subject.slice(subject.lastIndexOf('@') + 1)) : null;
  return {
    what: target === 'store' ? 'resync' : what,
    credential: credentialOf({ target, subject }),
    version,
    principal: target === 'principal' ? subject : null,
    host: target === 'host' ? subject : null,
  };
}
