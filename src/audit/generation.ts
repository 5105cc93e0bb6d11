import { decodeBase64 } from '../core/encoding/base64.ts';
import { KeyturnError } from '../core/errors.ts';
import type { LogSigner, LogVerifier, TreeHead } from './checkpoint.ts';
import { EMPTY_ROOT, HASH_BYTES } from './merkle.ts';

const HEADER = 'keyturn-log-generation/1';
const COUNT = /^(0|[1-9][0-9]{0,15})$/;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

/** The first generation of a log; its checkpoints say nothing of generations. */
export const FIRST_GENERATION = 1;

/** Kind of the entry that begins a generation; its `data.statement` holds the signed statement. */
export const GENERATION_STARTED = 'log.generation-started';

/**
 * Says that the log was restored: what was recorded from `base.size` on was lost, and entry `base.size` is the first
 * of a new generation. Whoever saw more than `base.size` entries of an older generation saw entries that are gone.
 */
export interface GenerationStatement {
  readonly origin: string;
  /** 2 or more; higher than that of every generation known when it was started. */
  readonly generation: number;
  /** The generation that the restored entries are of. */
  readonly follows: number;
  /** The tree that goes on. */
  readonly base: TreeHead;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
}

/** The note text of the signed statement. */
export function signGeneration(signer: LogSigner, statement: Omit<GenerationStatement, 'origin'>): string {
  const { generation, follows, base, time } = statement;
  const lines = [HEADER, signer.origin, generation, follows, base.size, base.root.toString('base64'), time];
  return signer.signText(`${lines.join('\n')}\n`);
}

/**
 * Opens a statement (attacker-controlled).
 * @throws KeyturnError `audit_invalid` unless it is one of this log, signed by one of its keys.
 */
export function openGeneration(verifier: Pick<LogVerifier, 'origin' | 'openText'>, note: string): GenerationStatement {
  const lines = verifier.openText(note).slice(0, -1).split('\n');
  const [header, origin, generation = '', follows = '', size = '', root = '', time = ''] = lines;
  if (lines.length !== 7 || header !== HEADER) throw invalid('it is no statement of a generation');
  if (origin !== verifier.origin) throw invalid('it is of another log');
  const statement = { generation: count(generation), follows: count(follows), size: count(size) };
  if (statement.follows < FIRST_GENERATION || statement.generation <= statement.follows) {
    throw invalid('its generations are not in order');
  }
  const hash = decodeBase64(root, HASH_BYTES);
  if (hash === null || (statement.size === 0 && !hash.equals(EMPTY_ROOT))) throw invalid('its root is no root');
  if (!TIME.test(time)) throw invalid('its time is no time');
  return {
    origin,
    generation: statement.generation,
    follows: statement.follows,
    base: { size: statement.size, root: hash },
    time,
  };
}

/** Statements of one log after a generation, in order. */
export interface Succession {
  /** Generation that they lead to. */
  readonly generation: number;
  /** The smallest base: entries from there on may be others than those of the generation left. */
  readonly base: TreeHead;
  /** Whether the log goes on from the very generation that was left, and not from one before it. */
  readonly direct: boolean;
}

/**
 * What `statements`, in the order of the log, say to somebody who knows generation `from`; null if they do not lead
 * from there to `to`: one is missing, or none is given.
 */
export function succession(statements: readonly GenerationStatement[], from: number, to: number): Succession | null {
  const [first] = statements;
  if (first === undefined || first.generation <= from || first.follows > from) return null;
  const linked = statements.every((each, at) => at === 0 || each.follows === statements[at - 1]?.generation);
  if (!linked || statements.at(-1)?.generation !== to) return null;
  const base = statements.reduce((least, each) => (each.base.size < least.size ? each.base : least), first.base);
  return { generation: to, base, direct: first.follows === from };
}

function count(text: string): number {
  if (COUNT.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw invalid('a number of it is none');
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The statement of a generation is refused: ${what}.`);
}
