import type { Share } from '../../credential/lease/share.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import type { Step, Way } from './path.ts';

/** What a partner said to a certificate. Times are milliseconds since the epoch. */
export interface Seen {
  readonly at: number;
  readonly verdict: 'accepted' | 'refused' | 'inconclusive';
  /** Stable, see `tls/probe`. */
  readonly cause: string;
  readonly detail: string;
}

/** One round of the proof: the new certificate, the old one, the new one again. */
export interface ProofRound {
  readonly at: number;
  readonly before: Seen;
  readonly old: Seen;
  readonly after: Seen;
}

/** What clients have reported of one version. */
export interface UsesSeen {
  /** Processes that had a lease on it. */
  readonly clients: number;
  /** Of them, those that have reported requests with it; and those whose first renewal is still to come. */
  readonly heard: number;
  readonly awaited: number;
  /** Of them, those that have reported failures, and whose processes they are. */
  readonly failing: number;
  readonly failingOf: readonly string[];
  readonly requests: number;
  /** Of them, those that the certificate may have failed. */
  readonly failures: number;
  /** The part of the requests that failed, where no process counts for more of them than the median one. */
  readonly rate: number;
}

/** Of the version that a share of them has first, and of the current one. */
export interface ShareSeen {
  readonly fresh: UsesSeen;
  readonly old: UsesSeen;
}

export interface Revocation {
  readonly at: number;
  /** `superseded`: the partner accepted it no more when its successor was issued. */
  readonly by: 'issuer' | 'person' | 'superseded';
  readonly who: string;
  /** CRLReason (RFC 5280 section 5.3.1), kept here whatever the issuer takes down. */
  readonly reason: string;
  /** Whether the issuer took the reason down. */
  readonly reasonKept: boolean;
}

/** Where one certificate may live: how long clients were refused. */
export interface Outage {
  /** The first refusal, and when the last client had the new version and was accepted. */
  readonly from: number;
  readonly to: number;
  readonly ms: number;
  /** Who saw the first refusal: a principal, or `probe`. */
  readonly by: string;
  /** Leases that moved while it lasted. */
  readonly clients: number;
}

export interface Waiver {
  readonly what: 'canary' | 'drain' | 'proof' | 'holder';
  /** For a holder: whose copy. */
  readonly subject?: string;
  readonly by: string;
  readonly why: string;
  readonly at: number;
}

/** What was tried and is to be tried again, by whichever server. */
export interface Pause {
  /** Not before; wall clock. */
  readonly until: number;
  /** How often the step was tried. */
  readonly tries: number;
}

/** Kept as JSON in the rotation's row. What is not known yet is absent. */
export interface Facts {
  readonly path: readonly Step[];
  readonly way: Way;
  /** What the person who began it said of its reason. */
  readonly said?: string;
  /** Absent when the rotation has moved on; void when it waits for nothing any more, since a person has steered it. */
  readonly pause?: Pause;
  /** The request to the issuer may have arrived from then on; void when it was refused. */
  readonly requestedAt?: number | undefined;
  /** PEM. Public. */
  readonly csr?: string;
  readonly canary?: Seen;
  /** From then on clients may have the staged version. */
  readonly share?: Share;
  /** When it ended. */
  readonly shareSeen?: ShareSeen;
  readonly promotedAt?: number;
  readonly drainedAt?: number;
  /** Absent where nobody was seen to be refused. */
  readonly outage?: Outage;
  /** The old certificate, before anybody was asked to revoke it. */
  readonly control?: Seen;
  /** From then on its revocation may have been asked for: whatever control there is, is all. */
  readonly controlledAt?: number;
  readonly revocation?: Revocation;
  /** The good rounds of the proof so far; one that fails takes those before it away. */
  readonly rounds?: readonly ProofRound[];
  readonly lastRound?: ProofRound;
  readonly provenAt?: number;
  /** The partner was seen to refuse what is current already, and a person was told. */
  readonly refusedSince?: number;
  /** Nobody could say in time that the old certificate is dead. */
  readonly overdueSince?: number;
  readonly waivers?: readonly Waiver[];
  /** Why it was aborted or rolled back. */
  readonly undone?: { readonly by: string; readonly why: string; readonly at: number };
}

export function factsOf(row: Pick<RotationRow, 'facts'>): Facts {
  return JSON.parse(row.facts) as Facts;
}

/** Null when nothing has to be waited with. */
export function pauseOf(row: Pick<RotationRow, 'facts' | 'waits_for'>): Pause | null {
  return row.waits_for === '' ? null : (factsOf(row).pause ?? null);
}

/** What was waived of the version that leaves is not waived of the other one, when the way turns. */
export function withoutDrainWaivers<F extends Pick<Facts, 'waivers'>>(facts: F): F {
  if (facts.waivers === undefined) return facts;
  return { ...facts, waivers: facts.waivers.filter(({ what }) => what !== 'drain' && what !== 'holder') };
}

export function waiverOf({ waivers = [] }: Facts, what: Waiver['what']): Waiver | null {
  return waivers.find((one) => one.what === what) ?? null;
}
