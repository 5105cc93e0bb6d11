import { parseEntry } from '../../../audit/recorded.ts';
import type { Desk } from '../../../credential/desk.ts';
import type { ReportedUse } from '../../../credential/lease/lease.ts';
import type { Share } from '../../../credential/lease/share.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import type { RotationRow } from '../../../ledger/tables.ts';
import type { ShareSeen } from '../../workflow/facts.ts';
import { UsesSide } from './uses-side.ts';

/** Entries read at a time. */
const ENTRIES = 1_000;

/** What is read of the entry of a lease. */
interface LeaseEntry {
  readonly client: string;
  readonly lease: string;
  readonly expiresAt: string;
  readonly report?: number;
  readonly uses?: readonly ReportedUse[];
}

type Counted = Pick<RotationRow, 'id' | 'credential' | 'version' | 'replaces'>;

/**
 * What clients have reported of the staged version and of the current one since a share of them has the staged one. It is
 * counted from the log, so any server comes to the same; each entry is read once by a server that goes on with it.
 */
export class ShareTally {
  readonly #rotation: Counted;
  readonly #fresh = new UsesSide();
  readonly #old = new UsesSide();
  #next: number;

  constructor(rotation: Counted, { from }: Share) {
    this.#rotation = rotation;
    this.#next = from;
  }

  /** Reads on to the end of the log. */
  async read(ledger: Ledger, now: number): Promise<ShareSeen> {
    const { credential } = this.#rotation;
    for (;;) {
      const page = await ledger.entries({ credential, from: this.#next, limit: ENTRIES });
      for (const { json } of page) this.#count(json);
      this.#next = (page.at(-1)?.index ?? this.#next - 1) + 1;
      if (page.length < ENTRIES) return { fresh: this.#fresh.seen(now), old: this.#old.seen(now) };
    }
  }

  /** A use counts when it is reported under a lease on that very version: nobody speaks of one that they do not have. */
  #count(json: string): void {
    const { kind, actor, version, data } = parseEntry(json);
    if (kind !== 'lease.renewed' && kind !== 'lease.granted') return;
    const side = version === this.#rotation.version ? this.#fresh : this.#old;
    if (side === this.#old && version !== this.#rotation.replaces) return;
    const { client, lease, expiresAt, report = null, uses = [] } = data as unknown as LeaseEntry;
    const process = side.has(actor, client, Date.parse(expiresAt));
    if (kind === 'lease.granted') return;
    const own = uses.filter((use) => use.version === version);
    const requests = own.reduce((sum, use) => sum + use.requests, 0);
    const failures = own.reduce((sum, use) => sum + (use.failures ?? 0), 0);
    process.report({ lease, report, requests, failures });
  }
}

/** The tallies of the rotations that a process goes on with. */
export class ShareTallies {
  readonly #tallies = new Map<string, ShareTally>();

  async of({ ledger, clock }: Desk, rotation: Counted, share: Share): Promise<ShareSeen> {
    const tally = this.#tallies.get(rotation.id) ?? new ShareTally(rotation, share);
    this.#tallies.set(rotation.id, tally);
    try {
      return await tally.read(ledger, clock.now());
    } catch (error) {
      // It may have read a part: begun anew, nothing is counted twice.
      this.#tallies.delete(rotation.id);
      throw error;
    }
  }

  forget(rotation: string): void {
    this.#tallies.delete(rotation);
  }

  /** Others may have come to an end elsewhere. */
  keepOnly(rotations: ReadonlySet<string>): void {
    for (const id of this.#tallies.keys()) if (!rotations.has(id)) this.#tallies.delete(id);
  }
}

/** So many have to see failures, where there are so many: what one alone says, or is the cause of, decides for nobody. */
const WITNESSES = 2;

/**
 * Whether the staged version fails so often, and so much more often than the current one, that it is taken back. `over`: the
 * time is; nobody else is waited for then.
 */
export function isWorse(
  { fresh, old }: ShareSeen,
  { failures, beyond }: Pick<Share, 'failures' | 'beyond'>,
  over: boolean,
): boolean {
  const others = fresh.heard + (over ? 0 : fresh.awaited);
  const witnessed = fresh.failing >= Math.max(1, Math.min(WITNESSES, others));
  return witnessed && fresh.failures >= failures && fresh.rate > old.rate + beyond;
}
