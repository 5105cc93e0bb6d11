import type { Receipt } from '../audit/receipt.ts';
import type { LeaseAnswer, SealedAnswer } from '../client/wire.ts';
import { timestamp } from '../core/clock.ts';
import type { Lease } from '../credential/lease/lease.ts';
import type { VersionRow } from '../ledger/tables.ts';
import type { Profiles } from '../partner/profile.ts';
import { partnerTerms } from './partner-terms.ts';

type Standing = Pick<LeaseAnswer, 'spki' | 'certificate' | 'chain' | 'endpoints' | 'trust' | 'refusals'>;
type Own = Omit<LeaseAnswer, keyof Standing | 'sealed' | 'receipt'>;

/**
 * The JSON text of a lease's answer. Most of it (certificate, chains, terms) is the same for all leases of a version,
 * and is written once; what is base64 stands in it as it is. All of it is ASCII, so that nothing has to be encoded, nor
 * counted, on its way out.
 */
export function leaseText(profiles: Profiles, lease: Lease, statements: readonly string[]): string {
  const { row, version, secondsLeft, sealed, receipt } = lease;
  const own: Own = {
    lease: row.id,
    credential: row.credential,
    version: row.version,
    secondsLeft,
    expiresAt: timestamp(row.expires_at),
  };
  const parts = `${standing(profiles, version)},"sealed":${sealedJson(sealed)}`;
  return `{${ascii(members(own))},${parts},"receipt":{${receiptMembers(receipt, statements)}}}`;
}

function sealedJson(sealed: SealedAnswer | null): string {
  return sealed === null ? 'null' : `{"enc":"${sealed.enc}","seq":${sealed.seq},"ct":"${sealed.ct}"}`;
}

function receiptMembers(receipt: Receipt, statements: readonly string[]): string {
  const { index, entry, inclusion, checkpoint, consistency } = receipt;
  const proof = `"index":${index},"entry":${ascii(JSON.stringify(entry))},"inclusion":${hashesJson(inclusion)}`;
  const further = statements.length === 0 ? '' : `,"generations":${ascii(JSON.stringify(statements))}`;
  return `${proof}${consistencyMember(consistency)}${further},"checkpoint":${checkpointJson(checkpoint)}`;
}

function consistencyMember(consistency: Receipt['consistency']): string {
  if (consistency === undefined) return '';
  return `,"consistency":{"from":${consistency.from},"path":${hashesJson(consistency.path)}}`;
}

/** Base64 needs no escape. */
function hashesJson(hashes: readonly string[]): string {
  return hashes.length === 0 ? '[]' : `["${hashes.join('","')}"]`;
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

const BEYOND_ASCII = /[\u0080-\uffff]/;

/** The object's JSON without its braces. */
function members(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}

/**
 * The same JSON, with an escape for each unit that is not ASCII (RFC 8259 section 7). Made by way of its octets, since V8
 * keeps what it replaces something in with two octets for each character, and all that it becomes a part of as well.
 */
function ascii(json: string): string {
  if (!BEYOND_ASCII.test(json)) return json;
  const escaped = json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return Buffer.from(escaped, 'latin1').toString('latin1');
}
