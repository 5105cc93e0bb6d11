import type { Checkpoint } from '../checkpoint.ts';

export type FindingKind =
  /** The first line is not that of an export of this log. */
  | 'header'
  /** A line is of no known form, or stands after the end. `index` is the entry that was expected there. */
  | 'unreadable'
  /** The text, the leaf hash or the line number of this entry is not what was recorded. */
  | 'changed'
  /** The entry's octets are what was recorded, but they are no entry of a known version. */
  | 'malformed'
  /** The entry bears an earlier time than the one before it. */
  | 'time'
  | 'removed'
  /** A second entry of this index, or one that does not belong there: duplicated or inserted. */
  | 'inserted'
  | 'reordered'
  /** A checkpoint does not verify, or does not stand behind the last entry that it covers. */
  | 'checkpoint'
  /** The tree of these entries is not the one that the log signed; nothing after them can be confirmed. */
  | 'unconfirmed'
  /** No checkpoint covers these entries. */
  | 'unsigned'
  /** The end is missing: of the file, or of the log when an outside checkpoint covers more. */
  | 'cut'
  /** The end line counts fewer entries than there are. */
  | 'miscounted'
  /** An outside checkpoint was signed over other entries: the log was rewritten by a holder of its key. */
  | 'rewritten'
  /** An entry says that a new generation begins, and no statement of the log's key bears it out. */
  | 'generation';

/** Entries `from` … `to - 1`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Entries of a generation that was given up: an outside checkpoint shows that there were these, and they are gone. */
export interface LostRange extends Range {
  readonly generation: number;
}

/** A new generation that began in the log: it was restored, and goes on from `base` entries. */
export interface StartedGeneration {
  readonly generation: number;
  readonly follows: number;
  readonly base: number;
  readonly time: string;
}

interface Restored {
  /** In the order of the log; empty for a log that was never restored. */
  readonly generations: readonly StartedGeneration[];
  /** What outside checkpoints show to have been lost at a restore. */
  readonly lost: readonly LostRange[];
}

/** For programs `kind` and `index` or `range`; for people `message`. No message quotes the export. */
export type Finding = { readonly kind: FindingKind; readonly message: string } & (
  | { readonly index: number }
  | { readonly range: Range }
);

export type Report = Restored &
  (
    | {
        readonly intact: true;
        readonly entries: number;
        /** Checkpoints whose signature and root were confirmed. */
        readonly checkpoints: number;
        /** The last of them; it covers every entry. */
        readonly head: Checkpoint;
        readonly findings: readonly [];
      }
    | {
        readonly intact: false;
        /** Entry lines that were read. */
        readonly entries: number;
        readonly checkpoints: number;
        /** The last checkpoint that was confirmed; null if none was. */
        readonly head: Checkpoint | null;
        /** In order of index. */
        readonly findings: readonly Finding[];
        /** Findings that were left out to bound memory. */
        readonly more: number;
      }
  );

/** Findings kept of each sort, so that a file made of nothing but faults cannot fill the memory. */
const MAX_KEPT = 1_000;

interface Stray {
  readonly index: number;
  readonly line: number;
}

/** Collects findings; entries found where they do not belong and entries missed where they do are matched in the end. */
export class Findings {
  readonly #others: Finding[] = [];
  readonly #strays: Stray[] = [];
  readonly #missing: Range[] = [];
  #more = 0;

  add(finding: Finding): void {
    this.#keep(this.#others, finding);
  }

  /** An entry of this index stands at a line (1-based) where another was expected. */
  stray(index: number, line: number): void {
    this.#keep(this.#strays, { index, line });
  }

  /** These entries were not found at their place. */
  missing(range: Range): void {
    this.#keep(this.#missing, range);
  }

  get count(): number {
    return this.#others.length + this.#strays.length + this.#missing.length + this.#more;
  }

  list(): { findings: Finding[]; more: number } {
    const isMissing = ({ index }: Stray) => this.#missing.some((range) => range.from <= index && index < range.to);
    const moved = new Set(this.#strays.filter(isMissing).map((stray) => stray.index));
    const found = [...moved].sort((a, b) => a - b);
    const findings = [
      ...this.#others,
      ...this.#strays.map((stray) => (moved.has(stray.index) ? reordered(stray) : inserted(stray))),
      ...this.#missing.flatMap((range) => without(range, found)).map(removed),
    ];
    return { findings: findings.sort((a, b) => startOf(a) - startOf(b)), more: this.#more };
  }

  clone(): Findings {
    const copy = new Findings();
    copy.#others.push(...this.#others);
    copy.#strays.push(...this.#strays);
    copy.#missing.push(...this.#missing);
    copy.#more = this.#more;
    return copy;
  }

  #keep<T>(list: T[], item: T): void {
    if (list.length < MAX_KEPT) list.push(item);
    else this.#more += 1;
  }
}

/** `entry 7`, `entries 3 to 7`. */
export function nameRange(range: Range): string {
  return range.to - range.from === 1 ? `entry ${range.from}` : `entries ${range.from} to ${range.to - 1}`;
}

function reordered({ index, line }: Stray): Finding {
  return { kind: 'reordered', index, message: `Entry ${index} was moved: it stands at line ${line}.` };
}

function inserted({ index, line }: Stray): Finding {
  const message = `Line ${line} was inserted: it holds an entry ${index}, which does not belong there.`;
  return { kind: 'inserted', index, message };
}

function removed(range: Range): Finding {
  const was = range.to - range.from === 1 ? 'was' : 'were';
  return { kind: 'removed', range, message: `The export lacks ${nameRange(range)}, which ${was} removed.` };
}

/** The parts of a range between the indexes (ascending) that were found elsewhere. */
function without(range: Range, found: readonly number[]): Range[] {
  const parts: Range[] = [];
  let from = range.from;
  for (const index of found) {
    if (index < from || index >= range.to) continue;
    if (index > from) parts.push({ from, to: index });
    from = index + 1;
  }
  return from < range.to ? [...parts, { from, to: range.to }] : parts;
}

function startOf(finding: Finding): number {
  return 'index' in finding ? finding.index : finding.range.from;
}
