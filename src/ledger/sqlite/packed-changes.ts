import type { EntryDraft } from '../../audit/entry.ts';
import type { Change, Check } from '../change.ts';
import { isRemembered } from '../remembered.ts';

/**
 * A batch on its way to the writer's thread. Most of a lease's change are checks that the one before had too: those that
 * callers hand over as one object are told once, and then go by their number. The entry of a refusal goes as JSON, since
 * it is hardly ever needed.
 */
export interface PackedChanges {
  /** Whether the numbers that were told before mean nothing any more. */
  readonly anew: boolean;
  /** Checks that take the next numbers. */
  readonly told: readonly Check[];
  readonly changes: readonly PackedChange[];
}

type PackedChange = Omit<Change, 'checks' | 'refusal'> & {
  readonly checks: readonly (number | Check)[];
  /** JSON of an `EntryDraft`. */
  readonly refusal?: string;
};

/** Checks that have a number. */
const MOST_NUMBERS = 4_096;

/** The sender's side: one for one {@link ChangeUnpacker}, which must be given all that it packs, in order. */
export class ChangePacker {
  readonly #most: number;
  #numbers = new Map<Check, number>();

  constructor(most: number = MOST_NUMBERS) {
    this.#most = most;
  }

  pack(changes: readonly Change[]): PackedChanges {
    const anew = this.#numbers.size >= this.#most;
    if (anew) this.#numbers = new Map();
    const told: Check[] = [];
    return { anew, told, changes: changes.map((change) => this.#packChange(change, told)) };
  }

  #packChange({ checks = [], refusal, ...rest }: Change, told: Check[]): PackedChange {
    const packed = checks.map((check) => this.#numbers.get(check) ?? this.#tell(check, told));
    return { ...rest, checks: packed, ...(refusal === undefined ? {} : { refusal: JSON.stringify(refusal) }) };
  }

  /** What is made anew each time has no number. */
  #tell(check: Check, told: Check[]): number | Check {
    if (!isRemembered(check)) return check;
    const number = this.#numbers.size;
    this.#numbers.set(check, number);
    told.push(check);
    return number;
  }
}

/** The writer's side. */
export class ChangeUnpacker {
  readonly #told: (check: Check) => void;
  #checks: Check[] = [];

  /** `told` hears of each check that will be asked again and again, as one object. */
  constructor(told: (check: Check) => void) {
    this.#told = told;
  }

  unpack({ anew, told, changes }: PackedChanges): Change[] {
    if (anew) this.#checks = [];
    for (const check of told) {
      this.#checks.push(check);
      this.#told(check);
    }
    return changes.map((change) => this.#unpackChange(change));
  }

  #unpackChange({ checks, refusal, ...rest }: PackedChange): Change {
    const unpacked = checks.map((check) => (typeof check === 'number' ? this.#checks[check]! : check));
    if (refusal === undefined) return { ...rest, checks: unpacked };
    return {
      ...rest,
      checks: unpacked,
      // Read when it is needed. Our own text.
      get refusal() {
        return JSON.parse(refusal) as EntryDraft;
      },
    };
  }
}
