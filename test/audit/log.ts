import { generateKeyPairSync } from 'node:crypto';
import type { CheckpointOpener } from '../../src/audit/checkpoint.ts';
import { type Checkpoint, LogSigner, LogVerifier } from '../../src/audit/checkpoint.ts';
import type { EntryDraft } from '../../src/audit/entry.ts';
import { checkpointLine, endLine, entryLine, headerLine } from '../../src/audit/export.ts';
import { GENERATION_STARTED, signGeneration } from '../../src/audit/generation.ts';
import type { Receipt } from '../../src/audit/receipt.ts';
import { type RecordedEntry, recordEntry } from '../../src/audit/recorded.ts';
import { consistencyPath, inclusionPath, TreeFrontier, type TreeNodes } from '../../src/audit/tree.ts';

export const ORIGIN = 'keyturn.example/log';
export const START = Date.parse('2026-11-23T10:00:00.000Z');

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function draft(index: number): EntryDraft {
  const data = { lease: `lease_${index}`, note: index % 7 === 0 ? 'é✓ "quoted"' : 'plain' };
  return { kind: 'lease.granted', actor: 'service:payments', credential: 'lean/sandbox', version: 1, data };
}

export function newSigner(origin = ORIGIN): LogSigner {
  return LogSigner.create(origin, generateKeyPairSync('ed25519').privateKey);
}

/** A log in memory: grows by batches, one checkpoint each, and hands out receipts and export lines. */
export class MemoryLog {
  /** That of the generation which the log is in. */
  signer: LogSigner;
  /** Signed statements of the generations that began in it. */
  readonly statements: string[] = [];
  readonly verifier: LogVerifier;
  readonly entries: RecordedEntry[] = [];
  readonly checkpoints: { size: number; note: string }[] = [];
  readonly frontier = TreeFrontier.empty();
  readonly #nodes = new Map<string, Buffer>();

  constructor(signer: LogSigner = newSigner()) {
    this.signer = signer;
    this.verifier = new LogVerifier({ origin: signer.origin, keys: [signer.vkey] });
    this.#sign();
  }

  static ofBatches(batches: readonly number[], signer?: LogSigner): MemoryLog {
    const log = new MemoryLog(signer);
    for (const count of batches) log.batch(Array.from({ length: count }, (_, at) => draft(log.entries.length + at)));
    return log;
  }

  readonly nodes: TreeNodes = { node: (level, index) => this.#nodes.get(`${level}/${index}`)! };

  batch(drafts: readonly EntryDraft[]): void {
    for (const item of drafts) this.add(recordEntry(item, this.entries.length, START + this.entries.length * 1_000));
    this.#sign();
  }

  /** The log as a restore of a backup of its first `size` entries leaves it: a checkpoint must stand there. */
  restored(size: number, generation: number): MemoryLog {
    const log = new MemoryLog(this.signer.ofGeneration(1));
    for (const entry of this.entries.slice(0, size)) log.add(entry);
    log.checkpoints.splice(0, 1, ...this.checkpoints.filter((checkpoint) => checkpoint.size <= size));
    const begun = (entry: RecordedEntry) => entry.entry.kind === GENERATION_STARTED;
    log.statements.push(
      ...this.entries
        .slice(0, size)
        .filter(begun)
        .map(({ entry }) => entry.data['statement'] as string),
    );
    log.signer = this.signer.ofGeneration(log.head().generation);
    log.startGeneration(generation);
    return log;
  }

  /** As a restore does: the entry that bears the statement is the first under a checkpoint of the new generation. */
  startGeneration(generation: number, change: Partial<Parameters<typeof signGeneration>[1]> = {}): void {
    const follows = this.head().generation;
    const base = { size: this.frontier.size, root: this.frontier.root() };
    const time = new Date(START + 86_400_000).toISOString();
    const statement = signGeneration(this.signer, { generation, follows, base, time, ...change });
    this.statements.push(statement);
    this.signer = this.signer.ofGeneration(generation);
    this.batch([{ kind: GENERATION_STARTED, actor: 'local:restore', data: { generation, statement } }]);
  }

  /** Appends without a checkpoint. */
  add(recorded: RecordedEntry): void {
    this.entries.push(recorded);
    for (const { level, index, hash } of this.frontier.append(recorded.leafHash))
      this.#nodes.set(`${level}/${index}`, hash);
  }

  head(): Checkpoint {
    return this.verifier.open(this.checkpoints.at(-1)!.note);
  }

  /** The head as it was at a size, whether or not a batch ended there. */
  headAt(size: number): { size: number; root: Buffer } {
    const frontier = TreeFrontier.empty();
    for (const entry of this.entries.slice(0, size)) frontier.append(entry.leafHash);
    return { size, root: frontier.root() };
  }

  receipt(index: number, seen: number): Receipt {
    const { size, note } = this.checkpoints.at(-1)!;
    const text = (path: Buffer[]) => path.map((hash) => hash.toString('base64'));
    return {
      index,
      entry: this.entries[index]!.json,
      inclusion: text(inclusionPath(this.nodes, index, size)),
      checkpoint: note,
      ...(seen === 0 ? {} : { consistency: { from: seen, path: text(consistencyPath(this.nodes, seen, size)) } }),
    };
  }

  /** Export lines without line feeds. */
  lines(): string[] {
    const lines = [headerLine(this.signer.origin)];
    let due = 1;
    for (const [index, { json, leafHash }] of this.entries.entries()) {
      lines.push(entryLine({ index, json, leafHash: leafHash.toString('base64') }));
      if (this.checkpoints[due]?.size === index + 1) lines.push(checkpointLine(this.checkpoints[due++]!.note));
    }
    if (this.entries.length === 0) lines.push(checkpointLine(this.checkpoints[0]!.note));
    return [...lines, endLine(this.entries.length)];
  }

  #sign(): void {
    const head = { size: this.frontier.size, root: this.frontier.root() };
    this.checkpoints.push({ size: head.size, note: this.signer.sign(head) });
  }
}

/** Batches of 1 to `most` entries that add up to `total`, the same in every run. */
export function batchesOf(total: number, most: number, random: () => number): number[] {
  const batches: number[] = [];
  for (let left = total; left > 0; left -= batches.at(-1)!)
    batches.push(Math.min(left, 1 + Math.floor(random() * most)));
  return batches;
}

/** Remembers what each note opened to, so that thousands of judgements verify each distinct note once. */
export function remembering(verifier: LogVerifier): CheckpointOpener {
  const known = new Map<string, Checkpoint | Error>();
  return {
    origin: verifier.origin,
    openText: (note) => verifier.openText(note),
    open(note) {
      let outcome = known.get(note);
      if (outcome === undefined) {
        outcome = attempt(() => verifier.open(note));
        known.set(note, outcome);
      }
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
}

function attempt(open: () => Checkpoint): Checkpoint | Error {
  try {
    return open();
  } catch (error) {
    return error as Error;
  }
}

/** The texts as a stream. */
export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** The code of what `act` throws; fails when it throws nothing, or something that is not ours. */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code?: string }).code ?? `foreign: ${String(error)}`;
  }
  return 'nothing thrown';
}
