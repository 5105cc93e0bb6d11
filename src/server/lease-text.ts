import type { LeaseAnswer } from '../client/wire.ts';
import { timestamp } from '../core/clock.ts';
import type { Lease } from '../credential/lease/lease.ts';
import type { VersionRow } from '../ledger/tables.ts';
import type { Profiles } from '../partner/profile.ts';
import { partnerTerms } from './partner-terms.ts';

type Standing = Pick<LeaseAnswer, 'spki' | 'certificate' | 'chain' | 'endpoints' | 'trust' | 'refusals'>;
type Own = Omit<LeaseAnswer, keyof Standing | 'receipt'>;
type Proof = Omit<LeaseAnswer['receipt'], 'checkpoint'>;

/**
 * The JSON text of a lease's answer. Most of it (certificate, chains, terms) is the same for all leases of a version,
 * and is written once; all of it is ASCII where the parts are, so that nothing has to be encoded on its way out.
 */
export function leaseText(profiles: Profiles, lease: Lease, statements: readonly string[]): string {
  const { row, version, secondsLeft, sealed, receipt } = lease;
  const own: Own = {
    lease: row.id,
    credential: row.credential,
    version: row.version,
    secondsLeft,
    expiresAt: timestamp(row.expires_at),
    sealed,
  };
  const { checkpoint, ...rest } = receipt;
  const proof: Proof = statements.length === 0 ? rest : { ...rest, generations: statements };
  const checkpointText = `"checkpoint":${checkpointJson(checkpoint)}`;
  return `{${members(own)},${standing(profiles, version)},"receipt":{${members(proof)},${checkpointText}}}`;
}

const kept = new WeakMap<VersionRow, { readonly profiles: Profiles; readonly text: string }>();

/** Kept for as long as the row is, which never changes, and the profiles are in force. */
function standing(profiles: Profiles, version: VersionRow): string {
  const known = kept.get(version);
  if (known?.profiles === profiles) return known.text;
  const { spki, certificate, chain } = version;
  const facts: Standing = { spki, certificate, chain, ...partnerTerms(profiles, version) };
  const text = ascii(members(facts));
  kept.set(version, { profiles, text });
  return text;
}

/** The leases of one commit have their checkpoint in common. */
let newest = { checkpoint: '', json: '""' };

function checkpointJson(checkpoint: string): string {
  if (newest.checkpoint !== checkpoint) newest = { checkpoint, json: ascii(JSON.stringify(checkpoint)) };
  return newest.json;
}

/** The object's JSON without its braces. */
function members(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}

/** The same JSON, with an escape for each unit that is not ASCII (RFC 8259 section 7). */
function ascii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
