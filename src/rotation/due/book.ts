import { setImmediate } from 'node:timers/promises';
import { partsOf } from '../../access/credential-name.ts';
import type { Desk } from '../../credential/desk.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { entriesOf, rowPages } from '../../ledger/pages.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import { chainEnd } from './chain-end.ts';
import type { DueFacts } from './check.ts';
import { type Due, type DueOptions, nextChange, nextDue } from './due.ts';

/** How long others wait at most while many are gone through, milliseconds. */
const TURN_MS = 10;
/** Entries after which another version is current, or a key has been seen. */
const TELLING = ['version.promoted', 'version.imported', 'key.revealed'] as const;

/** A credential's current version, and what follows from it as long as nothing changes. */
interface Known {
  facts: DueFacts;
  /** Null until it is asked for. */
  due: Due | null;
  /** When another reason may be the one that is told, milliseconds since the epoch. */
  until: number;
}

export interface Dated {
  readonly facts: DueFacts;
  /** What will hold first; what holds already when its `since` is past. */
  readonly due: Due;
}

/** Of a partner that has no profile any more: what is due is then told as what it can't be begun for. */
const NO_PROFILE: DueFacts['lifecycle'] = { issuance: {}, hours: null };

/**
 * What is known of the current version of every credential. All are read once, page by page; from then on only those
 * that the log tells of, so that a look each minute costs little whatever their number. No certificate is kept.
 */
export class DueBook {
  readonly #desk: Pick<Desk, 'ledger' | 'profiles'>;
  readonly #options: DueOptions;
  readonly #known = new Map<string, Known>();
  /** Index of the first entry that was not looked at; null before the first reading. */
  #from: number | null = null;
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(desk: Pick<Desk, 'ledger' | 'profiles'>, options: DueOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** Credentials in it. */
  get size(): number {
    return this.#known.size;
  }

  /** Takes up what happened since. One after the other. @throws KeyturnError `ledger_unavailable`. */
  refresh(): Promise<void> {
    const mine = this.#reading.then(() => this.#read());
    this.#reading = mine.catch(() => undefined);
    return mine;
  }

  /** Ends what is being read, between two pages; what it then has is not whole. */
  close(): void {
    this.#closed = true;
  }

  /** Every credential with its next rotation, in no order. */
  async *dues(now: number): AsyncGenerator<Dated> {
    const lifecycles = new Map<string, DueFacts['lifecycle']>();
    let turn = performance.now();
    for (const known of this.#known.values()) {
      const lifecycle = this.#lifecycleOf(known.facts.credential, lifecycles);
      if (known.facts.lifecycle !== lifecycle) Object.assign(known, knownOf({ ...known.facts, lifecycle }));
      yield { facts: known.facts, due: this.#dueOf(known, now) };
      if (this.#closed) return;
      if (performance.now() - turn < TURN_MS) continue;
      await setImmediate();
      turn = performance.now();
    }
  }

  /** Hours of partners are slow to tell: reckoned once, and again when something may be otherwise. */
  #dueOf(known: Known, now: number): Due {
    if (known.due !== null && now < known.until) return known.due;
    const { facts } = known;
    known.due = nextDue(facts, now, this.#options);
    known.until = nextChange(facts, now, this.#options);
    return known.due;
  }

  async #read(): Promise<void> {
    const { ledger } = this.#desk;
    // Read before the rows, so that nothing falls between.
    const { size } = await ledger.head();
    if (this.#from === null) await this.#readAll();
    else if (this.#from < size) await this.#readTold(this.#from, size);
    this.#from = size;
  }

  async #readAll(): Promise<void> {
    const { ledger } = this.#desk;
    const seen = await revealed(ledger, {});
    // In order of the primary key, which an equal state would lead away from: then each page would sort all of them.
    for await (const page of rowPages(ledger, 'versions', { state: { not: 'destroyed' } }, 'credential')) {
      for (const row of page) if (row.state === 'current') this.#take(row, seen);
      if (this.#closed) return;
    }
  }

  async #readTold(from: number, to: number): Promise<void> {
    const { ledger } = this.#desk;
    const told = new Set<string>();
    for (const kind of TELLING) {
      for await (const { credential } of entriesOf(ledger, { kind, from, to })) told.add(credential ?? '');
    }
    for (const credential of told) {
      const [row] = await ledger.find('versions', { credential, state: 'current' });
      if (row === undefined) {
        this.#known.delete(credential);
        continue;
      }
      const seen = await revealed(ledger, { credential });
      this.#take(row, seen);
    }
  }

  #take(row: VersionRow, seen: ReadonlyMap<string, number>): void {
    this.#known.set(row.credential, knownOf(factsOf(row, seen.get(keyOf(row)) ?? null)));
  }

  #lifecycleOf(credential: string, known: Map<string, DueFacts['lifecycle']>): DueFacts['lifecycle'] {
    const { partner, environment } = partsOf(credential);
    const name = `${partner}/${environment}`;
    const before = known.get(name);
    if (before !== undefined) return before;
    const profiles = this.#desk.profiles();
    const has = profiles.partners.includes(partner) && profiles.profile(partner).environments.has(environment);
    const lifecycle = has ? profiles.environment(partner, environment).lifecycle : NO_PROFILE;
    known.set(name, lifecycle);
    return lifecycle;
  }
}

function knownOf(facts: DueFacts): Known {
  return { facts, due: null, until: 0 };
}

function factsOf(row: VersionRow, seenByPersonAt: number | null): DueFacts {
  return {
    credential: row.credential,
    version: row.version,
    notBefore: row.not_before,
    notAfter: row.not_after,
    currentSince: row.changed_at,
    // A compromised version is current no more, and what replaces it is begun by whoever said so.
    compromisedAt: null,
    seenByPersonAt,
    againstPolicySince: null,
    issuerEndsAt: chainEnd(row.chain),
    lifecycle: NO_PROFILE,
  };
}

function keyOf({ credential, version }: { readonly credential?: string; readonly version?: number }): string {
  return `${credential}@${version}`;
}

/** When the key of each version was first shown to a person. */
async function revealed(ledger: Ledger, where: { readonly credential?: string }): Promise<Map<string, number>> {
  const first = new Map<string, number>();
  for await (const entry of entriesOf(ledger, { kind: 'key.revealed', ...where })) {
    const key = keyOf(entry);
    if (!first.has(key)) first.set(key, Date.parse(entry.time));
  }
  return first;
}
