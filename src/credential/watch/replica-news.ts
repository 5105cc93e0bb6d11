import type { EntryRange, Ledger } from '../../ledger/ledger.ts';
import { entriesOf } from '../../ledger/pages.ts';
import type { Desk } from '../desk.ts';
import type { TokenBook } from '../token-book.ts';
import { isInForce, type RulesInForce, rulesInForce } from './rules-in-force.ts';

/** Entries come in bursts; one look serves all that came within this, milliseconds. */
const GATHER_MS = 50;
/** After a ledger that did not answer, milliseconds. */
const AGAIN_MS = 1000;

/** What is kept in memory changes by these alone. */
const KINDS = [
  'token.created',
  'token.revoked',
  'hold.placed',
  'hold.lifted',
  'policy.loaded',
  'version.promoted',
  'companion.set',
] as const;

type Kind = (typeof KINDS)[number];

export interface ReplicaMemory {
  readonly desk: Desk;
  readonly book: TokenBook;
  /** Loads policy and profiles anew and takes them up if they are those that are in force by the ledger. */
  readonly takeUp: (inForce: RulesInForce) => Promise<void>;
}

/**
 * Brings what other servers of this ledger did into this one's memory: tokens, holds, keys kept, and whether policy and
 * profiles loaded here are still those in force. Late news can release nothing: every commit checks the rows themselves.
 */
export class ReplicaNews implements Disposable {
  readonly #desk: Desk;
  readonly #book: TokenBook;
  readonly #takeUp: ReplicaMemory['takeUp'];
  readonly #unfollow: () => void;
  #from: number;
  #to: number;
  #timer: NodeJS.Timeout | null = null;
  #reading = false;
  #closed = false;
  /** Null until another server has loaded any. */
  #inForce: RulesInForce | null = null;

  /** From `from` on; what was there before is in memory already. */
  constructor({ desk, book, takeUp }: ReplicaMemory, from: number) {
    this.#desk = desk;
    this.#book = book;
    this.#takeUp = takeUp;
    this.#from = from;
    this.#to = from;
    this.#unfollow = desk.ledger.follow(from, ({ to }: EntryRange) => {
      this.#to = to;
      this.#soon(GATHER_MS);
    });
  }

  /**
   * False when another server loaded another policy, or other profiles. By another policy nothing that is decided here can
   * commit; other profiles would have it lend for other endpoints, and rotate by other terms, than the others do.
   */
  get policyIsCurrent(): boolean {
    const { policy, profiles } = this.#desk;
    return this.#inForce === null || isInForce({ policy: policy(), profiles: profiles() }, this.#inForce);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#unfollow();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #soon(ms: number): void {
    if (this.#reading || this.#closed) return;
    this.#timer ??= setTimeout(() => void this.#read(), ms).unref();
  }

  async #read(): Promise<void> {
    this.#timer = null;
    this.#reading = true;
    const [from, to] = [this.#from, this.#to];
    let failed = false;
    try {
      for (const kind of KINDS) {
        const data = await dataOf(this.#desk.ledger, kind, from, to);
        if (data.length > 0) await this.#take(kind, data);
      }
      this.#from = to;
      await this.#followPolicy();
    } catch {
      // The same range once more: what it says is taken as often as one likes.
      failed = true;
    }
    this.#reading = false;
    if (!failed && this.#to > this.#from) this.#soon(GATHER_MS);
    else if (failed || !this.policyIsCurrent) this.#soon(AGAIN_MS);
  }

  /** Again and again until the files of the other server are here too. */
  async #followPolicy(): Promise<void> {
    if (this.#inForce !== null && !this.policyIsCurrent) await this.#takeUp(this.#inForce);
  }

  async #take(kind: Kind, data: readonly Data[]): Promise<void> {
    const { ledger, holds, keys } = this.#desk;
    switch (kind) {
      case 'token.created':
      case 'token.revoked':
        for (const id of idsOf(data, 'token'))
          for (const row of await ledger.find('tokens', { id })) this.#book.put(row);
        break;
      case 'hold.placed':
      case 'hold.lifted':
        for (const id of idsOf(data, 'hold')) {
          const [row] = await ledger.find('holds', { id });
          if (row === undefined) continue;
          if (row.lifted_at !== null) holds.lift(id);
          else if (!holds.has(id)) holds.place(id, row.target, row.subject);
        }
        keys.clear();
        break;
      case 'policy.loaded':
        this.#inForce = await rulesInForce(ledger);
        break;
      default:
        keys.clear();
    }
  }
}

type Data = Readonly<Record<string, unknown>>;

function idsOf(data: readonly Data[], member: string): Set<string> {
  return new Set(data.map((each) => String(each[member])));
}

async function dataOf(ledger: Ledger, kind: Kind, from: number, to: number): Promise<Data[]> {
  const found: Data[] = [];
  for await (const { data } of entriesOf(ledger, { kind, from, to })) found.push(data);
  return found;
}
