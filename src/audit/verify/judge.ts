import { KeyturnError } from '../../core/errors.ts';
import type { CheckpointOpener } from '../checkpoint.ts';
import type { AuditEntry } from '../entry.ts';
import { GENERATION_STARTED, type GenerationStatement, openGeneration } from '../generation.ts';
import { type FindingKind, Findings, type Range, type Report, type StartedGeneration } from './findings.ts';
import { openOrNull, type ReadCheckpoint, type ReadEntry, type ReadLine, readLine } from './read-line.ts';
import { TreeCheck } from './tree-check.ts';

interface Progress {
  /** Lines judged so far. */
  line: number;
  entries: number;
  /** Index of the entry that should come next, and so the tree size so far. */
  expected: number;
  /** Time of the last entry. */
  time: string;
  /** Largest size with a good signature; null before the first. */
  signed: number | null;
  ended: boolean;
}

/**
 * Judges an export line by line. A line is judged when the next one is known, which tells an entry that is missing
 * from one that was put in between.
 */
export class ExportJudge {
  readonly #verifier: CheckpointOpener;
  readonly #tree: TreeCheck;
  readonly #findings: Findings;
  readonly #at: Progress;
  #pending: ReadLine | null = null;

  private constructor(verifier: CheckpointOpener, tree: TreeCheck, findings: Findings, at: Progress) {
    this.#verifier = verifier;
    this.#tree = tree;
    this.#findings = findings;
    this.#at = at;
  }

  /** @throws KeyturnError `audit_invalid` when a note of `since` is not a checkpoint of this log. */
  static start(verifier: CheckpointOpener, since: readonly string[]): ExportJudge {
    const outside = since.map((note, at) => openOrNull(verifier, note) ?? refuseOutside(at + 1));
    const at = { line: 0, entries: 0, expected: 0, time: '', signed: null, ended: false };
    return new ExportJudge(verifier, new TreeCheck(outside), new Findings(), at);
  }

  /** Takes the next line, without its line feed. */
  line(text: string): void {
    const read = readLine(text, this.#verifier);
    this.#judgePending(read.position);
    this.#pending = read;
  }

  /** Ends the judgement; call it once. */
  finish(): Report {
    this.#judgePending(null);
    this.#judgeEnd();
    const { findings, more } = this.#findings.list();
    const { head, confirmed: checkpoints } = this.#tree;
    const { entries } = this.#at;
    const restored = { generations: this.#tree.generations.map(told), lost: this.#tree.lost };
    if (findings.length === 0 && head !== null) {
      return { intact: true, entries, checkpoints, head, findings: [], ...restored };
    }
    return { intact: false, entries, checkpoints, head, findings, more, ...restored };
  }

  /** True as soon as there is a finding. */
  get flawed(): boolean {
    return this.#findings.count > 0;
  }

  /** A copy that goes on by itself, to try another continuation of the same beginning. */
  clone(): ExportJudge {
    const copy = new ExportJudge(this.#verifier, this.#tree.clone(), this.#findings.clone(), { ...this.#at });
    copy.#pending = this.#pending;
    return copy;
  }

  /** `next` is the position of the line behind it, null when there is none or it cannot be known. */
  #judgePending(next: number | null): void {
    const read = this.#pending;
    if (read === null) return;
    this.#at.line += 1;
    if (this.#at.line === 1) this.#judgeHeader(read);
    if (this.#at.ended) this.#note('unreadable', this.#at.expected, `Line ${this.#at.line} stands behind the end.`);
    else if (read.kind === 'entry') this.#judgeEntry(read, next);
    else if (read.kind === 'checkpoint') this.#judgeCheckpoint(read, next);
    else if (read.kind === 'end') this.#judgeEndLine(read.size);
    else if (this.#at.line > 1) {
      this.#note('unreadable', this.#at.expected, `Line ${this.#at.line} is not a line of an export.`);
    }
  }

  #judgeHeader(read: ReadLine): void {
    if (read.kind === 'header' && read.origin === this.#verifier.origin) return;
    this.#note('header', 0, 'The first line is not that of an export of this log in a known version.');
  }

  #judgeEntry(read: ReadEntry, next: number | null): void {
    this.#at.entries += 1;
    const index = read.position ?? this.#at.expected;
    this.#judgeContent(read, index);
    if (this.#isMisplaced(index, index + 1, next)) {
      this.#findings.stray(index, this.#at.line);
      return;
    }
    this.#skipTo(index);
    this.#judgeTime(read, index);
    if (read.intact && read.entry?.kind === GENERATION_STARTED) this.#judgeGeneration(read.entry, index);
    this.#at.expected = index + 1;
    for (const finding of this.#tree.append(read.stored, read.recomputed)) this.#findings.add(finding);
  }

  #judgeContent(read: ReadEntry, index: number): void {
    if (!read.intact) {
      this.#note('changed', index, `Entry ${index} was changed: its text and its leaf hash do not fit.`);
    } else if (read.entry === null) {
      this.#note('malformed', index, `Entry ${index} is not an entry of a known version.`);
    } else if (read.numbered !== index) {
      this.#note('changed', index, `Entry ${index} was changed: it bears another number in front.`);
    }
  }

  #judgeTime(read: ReadEntry, index: number): void {
    if (!read.intact || read.entry === null) return;
    // Both are RFC 3339 in one fixed form, so the order of the texts is the order of the times.
    if (read.entry.time < this.#at.time) {
      this.#note('time', index, `Entry ${index} is dated earlier than the one before it.`);
    }
    this.#at.time = read.entry.time;
  }

  #judgeGeneration({ data }: AuditEntry, index: number): void {
    const statement = statementOrNull(this.#verifier, data['statement']);
    if (statement?.base.size === index && this.#tree.startGeneration(statement)) return;
    this.#note('generation', index, `Entry ${index} starts a generation that the log's key does not bear out.`);
  }

  #judgeCheckpoint({ checkpoint }: ReadCheckpoint, next: number | null): void {
    const { line, expected, signed } = this.#at;
    if (checkpoint === null) {
      const message = `The checkpoint at line ${line} is not signed by the log.`;
      this.#findings.add({ kind: 'checkpoint', range: { from: signed ?? 0, to: expected }, message });
      return;
    }
    if (checkpoint.size === signed || this.#isMisplaced(checkpoint.size, checkpoint.size, next)) {
      const message = `The checkpoint at line ${line} does not stand behind the last entry that it covers.`;
      this.#findings.add({ kind: 'checkpoint', range: rangeBetween(checkpoint.size, expected), message });
      return;
    }
    this.#skipTo(checkpoint.size);
    this.#at.signed = checkpoint.size;
    for (const finding of this.#tree.confirm(checkpoint)) this.#findings.add(finding);
  }

  #judgeEndLine(size: number): void {
    const { expected } = this.#at;
    this.#at.ended = true;
    if (size >= expected) {
      this.#skipTo(size);
      return;
    }
    const message = `The end line counts ${size} entries, and there are more.`;
    this.#findings.add({ kind: 'miscounted', range: { from: size, to: expected }, message });
  }

  #judgeEnd(): void {
    const { ended, expected, signed } = this.#at;
    if (!ended)
      this.#note('cut', expected, `The end line is missing: whatever came from entry ${expected} on is cut off.`);
    if (signed === null || signed < expected) {
      const range = { from: signed ?? 0, to: expected };
      this.#findings.add({
        kind: 'unsigned',
        range,
        message: `No checkpoint covers the entries from ${range.from} on.`,
      });
    }
    for (const finding of this.#tree.end(expected)) this.#findings.add(finding);
  }

  /**
   * True for a line that covers the log from `from` to `to` and belongs further up, or further down while the line
   * behind it goes on before `to`. False when it fits, and when entries are missing before it.
   */
  #isMisplaced(from: number, to: number, next: number | null): boolean {
    if (from <= this.#at.expected) return from < this.#at.expected;
    return next !== null && next < to;
  }

  /** Entries from the expected one up to `position` are missing. */
  #skipTo(position: number): void {
    if (position === this.#at.expected) return;
    this.#findings.missing({ from: this.#at.expected, to: position });
    this.#tree.lose();
    this.#at.expected = position;
  }

  #note(kind: FindingKind, index: number, message: string): void {
    this.#findings.add({ kind, index, message });
  }
}

function told({ generation, follows, base, time }: GenerationStatement): StartedGeneration {
  return { generation, follows, base: base.size, time };
}

function statementOrNull(verifier: CheckpointOpener, note: unknown): GenerationStatement | null {
  try {
    return openGeneration(verifier, String(note));
  } catch {
    return null;
  }
}

function rangeBetween(a: number, b: number): Range {
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

function refuseOutside(number: number): never {
  throw new KeyturnError('audit_invalid', `Outside checkpoint ${number} is not a checkpoint of this log.`, {
    fix: 'Give checkpoints of this log, and the public keys that they were signed with.',
  });
}
