import { KeyturnError } from '../../core/errors.ts';
import type { Cell } from '../change.ts';

/** SQL text with its values apart. Equal shapes give equal text, so that a prepared statement can be kept by it. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Cell[];
}

/** What differs between databases: the text that stands for the value at a position, counted from 1. */
export type Placeholder = (position: number) => string;

/** SQLite: `?`. */
export const questionMark: Placeholder = () => '?';

/** PostgreSQL: `$1`. */
export const dollarNumber: Placeholder = (position) => `$${position}`;

/** Collects values while the text is built, so that positions always match. */
export class Values {
  readonly #placeholder: Placeholder;
  readonly #values: Cell[] = [];

  constructor(placeholder: Placeholder) {
    this.#placeholder = placeholder;
  }

  /** The placeholder to write where `value` belongs. */
  add(value: unknown): string {
    this.#values.push(cell(value));
    return this.#placeholder(this.#values.length);
  }

  statement(sql: string): Statement {
    return { sql, values: this.#values };
  }
}

/**
 * What every adapter can store and give back unchanged: null, safe integers, and well-formed text without NUL (which
 * PostgreSQL refuses and SQLite's tools cut at).
 * @throws KeyturnError `invalid_input`.
 */
export function cell(value: unknown): Cell {
  if (value === null || Number.isSafeInteger(value)) return value as number | null;
  if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value;
  throw new KeyturnError('invalid_input', 'A change holds a value that is neither text, nor a whole number, nor null.');
}
