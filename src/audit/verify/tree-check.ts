import type { Checkpoint } from '../checkpoint.ts';
import { FIRST_GENERATION, type GenerationStatement } from '../generation.ts';
import { TreeFrontier } from '../tree.ts';
import { type Finding, type LostRange, nameRange } from './findings.ts';

/**
 * Rebuilds the tree leaf by leaf and compares it with the checkpoints inside the export and outside of it.
 *
 * Two trees are kept while a stored leaf hash and that of the entry's text differ, one of each; the next checkpoint
 * tells which of them was recorded, and the other is dropped.
 */
export class TreeCheck {
  readonly #outside: readonly Checkpoint[];
  #stored = TreeFrontier.empty();
  /** Null while both trees are the same. */
  #recomputed: TreeFrontier | null = null;
  /** A leaf is missing, so no later root can be computed. */
  #lost = false;
  /** A root was not the signed one, so no later root can be judged. */
  #broken = false;
  #head: Checkpoint | null = null;
  #confirmed = 0;
  /** How many outside checkpoints were compared, and the largest size at which one agreed. */
  #compared = 0;
  #agreed = 0;
  /** Generations that began in this log, in its order, and what outside checkpoints saw of those before them. */
  readonly #generations: GenerationStatement[] = [];
  readonly #lostRanges: LostRange[] = [];

  /** `outside`: checkpoints that were kept elsewhere, in any order. */
  constructor(outside: readonly Checkpoint[]) {
    this.#outside = outside.toSorted((a, b) => a.size - b.size);
    this.#compareOutside();
  }

  /** The last checkpoint whose root was confirmed. */
  get head(): Checkpoint | null {
    return this.#head;
  }

  /** How many checkpoints were confirmed. */
  get confirmed(): number {
    return this.#confirmed;
  }

  get generations(): readonly GenerationStatement[] {
    return this.#generations;
  }

  get lost(): readonly LostRange[] {
    return this.#lostRanges;
  }

  /** The generation of the entries that come next. */
  get generation(): number {
    return this.#generations.at(-1)?.generation ?? FIRST_GENERATION;
  }

  /** Takes a new generation, whose entry comes next; false when it does not go on from the tree as it is. */
  startGeneration(statement: GenerationStatement): boolean {
    const { base, follows } = statement;
    if (follows !== this.generation) return false;
    if (!this.#lost) {
      const roots = [this.#stored.root(), this.#recomputed?.root()];
      if (base.size !== this.#stored.size || !roots.some((root) => root?.equals(base.root))) return false;
    }
    this.#generations.push(statement);
    return true;
  }

  /** `stored` is null when it cannot be read. Returns what the outside checkpoints of the new size say. */
  append(stored: Buffer | null, recomputed: Buffer): Finding[] {
    if (this.#lost) return [];
    const leaf = stored ?? recomputed;
    if (!leaf.equals(recomputed)) this.#recomputed ??= this.#stored.clone();
    this.#recomputed?.append(recomputed);
    this.#stored.append(leaf);
    return this.#compareOutside();
  }

  /** At least one leaf is missing here. */
  lose(): void {
    this.#lost = true;
  }

  /** Compares with a checkpoint of the export that stands behind as many entries as it covers. */
  confirm(checkpoint: Checkpoint): Finding[] {
    if (this.#broken) return [];
    if (checkpoint.generation !== this.generation) {
      const range = { from: this.#head?.size ?? 0, to: checkpoint.size };
      const message = `The checkpoint of size ${range.to} is of generation ${checkpoint.generation}, not ${this.generation}.`;
      return [{ kind: 'checkpoint', range, message }];
    }
    if (!this.#lost && this.#matches(checkpoint)) {
      this.#head = checkpoint;
      this.#confirmed += 1;
      return [];
    }
    this.#broken = true;
    const range = { from: this.#head?.size ?? 0, to: checkpoint.size };
    const message =
      `The tree of ${nameRange(range)} is not the one that the log signed at size ${range.to}; ` +
      'nothing behind can be confirmed.';
    return [{ kind: 'unconfirmed', range, message }];
  }

  /** What the outside checkpoints say of a log that ends at this size. */
  end(size: number): Finding[] {
    const larger = this.#outside.filter((checkpoint) => checkpoint.size > size);
    return larger.flatMap((checkpoint): Finding[] => {
      if (this.#wasLost(checkpoint)) return [];
      const range = { from: size, to: checkpoint.size };
      const message = `The log was cut: an outside checkpoint covers ${nameRange(range)} too.`;
      return [{ kind: 'cut', range, message }];
    });
  }

  clone(): TreeCheck {
    const copy = new TreeCheck(this.#outside);
    copy.#stored = this.#stored.clone();
    copy.#recomputed = this.#recomputed?.clone() ?? null;
    copy.#lost = this.#lost;
    copy.#broken = this.#broken;
    copy.#head = this.#head;
    copy.#confirmed = this.#confirmed;
    copy.#compared = this.#compared;
    copy.#agreed = this.#agreed;
    copy.#generations.push(...this.#generations);
    copy.#lostRanges.push(...this.#lostRanges);
    return copy;
  }

  #matches({ root }: Checkpoint): boolean {
    if (!this.#stored.root().equals(root)) {
      if (this.#recomputed?.root().equals(root) !== true) return false;
      this.#stored = this.#recomputed;
    }
    this.#recomputed = null;
    return true;
  }

  #compareOutside(): Finding[] {
    const findings: Finding[] = [];
    for (; this.#outside[this.#compared]?.size === this.#stored.size; this.#compared += 1) {
      const outside = this.#outside[this.#compared]!;
      const { size, root } = outside;
      if (this.#wasLost(outside)) continue;
      const same = outside.generation === this.generation;
      if (!same) {
        const message = `An outside checkpoint of size ${size} is of generation ${outside.generation}, which this log does not have there.`;
        findings.push({ kind: 'rewritten', range: { from: this.#agreed, to: size }, message });
        continue;
      }
      if (this.#stored.root().equals(root) || this.#recomputed?.root().equals(root) === true) {
        this.#agreed = size;
        continue;
      }
      const range = { from: this.#agreed, to: size };
      const message = `The log was rewritten: an outside checkpoint covers another text of ${nameRange(range)}.`;
      findings.push({ kind: 'rewritten', range, message });
    }
    return findings;
  }

  /**
   * Whether an outside checkpoint is of a generation that was given up, and covers entries that were lost with it.
   * Only a checkpoint that says itself that it is of an older generation: one of this generation excuses nothing.
   */
  #wasLost({ generation, size }: Checkpoint): boolean {
    const later = this.#generations.filter((started) => started.generation > generation);
    if (later.length === 0) return false;
    const from = Math.min(...later.map(({ base }) => base.size));
    if (size <= from) return false;
    this.#lostRanges.push({ generation, from, to: size });
    return true;
  }
}
