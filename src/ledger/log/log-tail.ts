import type { LogSigner } from '../../audit/checkpoint.ts';
import { type RecordedEntry, recordEntry } from '../../audit/recorded.ts';
import type { TreeFrontier, TreeNode } from '../../audit/tree.ts';
import { timestamp } from '../../core/clock.ts';
import type { SignedHead } from './proof.ts';

/** Where the log ends as of the newest durable commit. */
export interface LogEnd {
  readonly frontier: TreeFrontier;
  /** Time of the newest entry, milliseconds since the epoch; 0 for an empty log. */
  readonly time: number;
  /** The newest commit was made while the clock stood behind `time`: so that one step of the clock makes one entry. */
  readonly behind: boolean;
}

/** What one transaction appends. It works on a copy: until the commit is durable nothing else knows of it. */
export class LogTail {
  /** Tree size before the transaction. */
  readonly before: number;
  readonly #frontier: TreeFrontier;
  readonly #entries: RecordedEntry[] = [];
  readonly #nodes: TreeNode[] = [];
  readonly #behind: boolean;
  /** Of every entry in this transaction: `now`, but never before the newest entry. */
  readonly time: number;

  /** `now` is the wall clock. That it stepped back is the first entry of the first commit that sees it. */
  constructor(end: LogEnd, now: number) {
    this.before = end.frontier.size;
    this.#frontier = end.frontier.clone();
    this.time = Math.max(now, end.time);
    this.#behind = now < end.time;
    if (this.#behind && !end.behind) this.append(clockEntry(this, now));
  }

  get size(): number {
    return this.#frontier.size;
  }

  get isEmpty(): boolean {
    return this.#frontier.size === this.before;
  }

  /** In order of index. */
  get entries(): readonly RecordedEntry[] {
    return this.#entries;
  }

  /** Subtrees that this transaction completed, leaves included. */
  get nodes(): readonly TreeNode[] {
    return this.#nodes;
  }

  append(recorded: RecordedEntry): void {
    this.#entries.push(recorded);
    this.#nodes.push(...this.#frontier.append(recorded.leafHash));
  }

  sign(signer: LogSigner): SignedHead {
    const { size } = this.#frontier;
    return { size, checkpoint: signer.sign({ size, root: this.#frontier.root() }) };
  }

  /** To be written as the head; to be gone on from once that is durable. */
  end(): LogEnd {
    return { frontier: this.#frontier, time: this.time, behind: this.#behind };
  }
}

function clockEntry(tail: LogTail, now: number): RecordedEntry {
  const data = { clock: timestamp(now), entriesStayAt: timestamp(tail.time) };
  return recordEntry({ kind: 'clock.stepped-back', actor: 'system', data }, tail.size, tail.time);
}
