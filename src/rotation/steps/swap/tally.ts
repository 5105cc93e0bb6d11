import { parseEntry } from '../../../audit/recorded.ts';
import type { ReportedUse } from '../../../credential/lease/lease.ts';
import type { Share } from '../../../credential/lease/share.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import type { RotationRow } from '../../../ledger/tables.ts';
import type { ShareSeen, UsesSeen } from '../../workflow/facts.ts';

/** Entries read at a time. */
const ENTRIES = 1_000;

type Counted = Pick<RotationRow, 'id' | 'credential' | 'version' | 'replaces'>;

/**
 * What clients have reported of the staged version and of the current one since a share of them has the staged one. It is
 * counted from the log, so any server comes to the same; each entry is read once by a server that goes on with it.
 */
export class ShareTally {
  readonly #rotation: Counted;
  readonly #fresh = new Side();
  readonly #old = new Side();
  #next: number;

  constructor(rotation: Counted, { from }: Share) {
    this.#rotation = rotation;
    this.#next = from;
  }

  /** Reads on to the end of the log. */
  async read(ledger: Ledger): Promise<ShareSeen> {
    const { credential } = this.#rotation;
    for (;;) {
      const page = await ledger.entries({ credential, from: this.#next, limit: ENTRIES });
      for (const { json } of page) this.#count(json);
      this.#next = (page.at(-1)?.index ?? this.#next - 1) + 1;
      if (page.length < ENTRIES) return { fresh: this.#fresh.seen(), old: this.#old.seen() };
    }
  }

  /** A use counts when it is reported under a lease on that very version: nobody speaks of one that they do not have. */
  #count(json: string): void {
    const { kind, version, data } = parseEntry(json);
    if (kind !== 'lease.renewed' && kind !== 'lease.granted') return;
    const side = version === this.#rotation.version ? this.#fresh : this.#old;
    if (side === this.#old && version !== this.#rotation.replaces) return;
    const { client } = data;
    if (typeof client === 'string') side.client(client);
    if (kind === 'lease.granted') return;
    const uses = (data['uses'] ?? []) as unknown as readonly ReportedUse[];
    for (const use of uses) if (use.version === version) side.use(use);
  }
}

/** One version's. */
class Side {
  readonly #clients = new Set<string>();
  #requests = 0;
  #failures = 0;

  client(process: string): void {
    this.#clients.add(process);
  }

  use({ requests, failures = 0 }: ReportedUse): void {
    this.#requests += requests;
    this.#failures += failures;
  }

  seen(): UsesSeen {
    return { clients: this.#clients.size, requests: this.#requests, failures: this.#failures };
  }
}

/** The tallies of the rotations that a process goes on with. */
export class ShareTallies {
  readonly #tallies = new Map<string, ShareTally>();

  async of(ledger: Ledger, rotation: Counted, share: Share): Promise<ShareSeen> {
    const tally = this.#tallies.get(rotation.id) ?? new ShareTally(rotation, share);
    this.#tallies.set(rotation.id, tally);
    try {
      return await tally.read(ledger);
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

/** Whether the staged version fails so often, and so much more often than the current one, that it is taken back. */
export function isWorse({ fresh, old }: ShareSeen, { failures, beyond }: Pick<Share, 'failures' | 'beyond'>): boolean {
  return fresh.failures >= failures && rate(fresh) > rate(old) + beyond;
}

/** A failure may be reported after the request that it is of. */
function rate({ requests, failures }: UsesSeen): number {
  return failures === 0 ? 0 : failures / Math.max(requests, failures);
}
