import type { LogVerifier } from '../audit/checkpoint.ts';
import {
  FIRST_GENERATION,
  GENERATION_STARTED,
  type GenerationStatement,
  openGeneration,
  succession,
} from '../audit/generation.ts';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import type { Ledger, StoredEntry } from './ledger.ts';

interface Started {
  readonly note: string;
  readonly statement: GenerationStatement;
}

/** What a client of an older generation is to be shown, see docs/formats/audit-log.md. */
export interface Continuation {
  /** Tree size from which the consistency proof is to start. */
  readonly from: number;
  /** Signed statements; empty when the client knows the generation. */
  readonly statements: readonly string[];
}

/** The generations of the log, as its own entries tell them. They do not change while a ledger is open. */
export class LogGenerations {
  readonly #started: readonly Started[];

  private constructor(started: readonly Started[]) {
    this.#started = started;
  }

  /** A log that was never restored. */
  static none(): LogGenerations {
    return new LogGenerations([]);
  }

  /** @throws KeyturnError `ledger_corrupt` when the entries and the newest checkpoint do not tell the same. */
  static async load(ledger: Pick<Ledger, 'entries' | 'head'>, verifier: LogVerifier): Promise<LogGenerations> {
    const entries = await ledger.entries({ kind: GENERATION_STARTED, limit: 10_000, few: true });
    const loaded = new LogGenerations(entries.map((entry) => startedBy(entry, verifier)));
    const { checkpoint } = await ledger.head();
    if (verifier.open(checkpoint).generation === loaded.current) return loaded;
    throw corrupt('its newest checkpoint is of another generation than its entries');
  }

  get current(): number {
    return this.#started.at(-1)?.statement.generation ?? FIRST_GENERATION;
  }

  /**
   * For a client that has seen `seen` entries of `generation` (both its own words).
   * @throws KeyturnError `log_forked` when it knows a later generation than there is.
   */
  since(seen: number, generation: number): Continuation {
    if (seen === 0 || generation === this.current) return { from: seen, statements: [] };
    if (generation > this.current) {
      throw new KeyturnError(
        'log_forked',
        `The client knows generation ${generation}; this log is of ${this.current}.`,
        {
          fix: 'This server was given up when the log was restored elsewhere: stop it.',
          facts: { generation: this.current },
        },
      );
    }
    const later = this.#started.filter(({ statement }) => statement.generation > generation);
    const way = succession(
      later.map(({ statement }) => statement),
      generation,
      this.current,
    );
    const base = way?.base.size ?? 0;
    return { from: way?.direct === true ? Math.min(seen, base) : base, statements: later.map(({ note }) => note) };
  }
}

function startedBy({ index, json }: StoredEntry, verifier: LogVerifier): Started {
  const { data } = JSON.parse(json) as { data: { statement?: unknown } };
  const note = typeof data.statement === 'string' ? data.statement : '';
  try {
    const statement = openGeneration(verifier, note);
    if (statement.base.size === index) return { note, statement };
  } catch (error) {
    if (!isKeyturnError(error)) throw error;
  }
  throw corrupt(`entry ${index} starts a generation that the log's key does not bear out`);
}

function corrupt(what: string): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The ledger is not opened: ${what}.`, {
    fix: 'Keep a copy of it for the investigation, then restore it from a backup.',
  });
}
