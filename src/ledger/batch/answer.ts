import { type ErrorCode, KeyturnError, type KeyturnErrorOptions } from '../../core/errors.ts';
import type { Outcome } from '../change.ts';

/** What became of a batch once it is durable: plain data, so that it can come from another thread. */
export interface BatchAnswer {
  readonly size: number;
  /** Null when the batch appended nothing. */
  readonly checkpoint: string | null;
  /** In the order of the batch's changes. */
  readonly results: readonly ChangeResult[];
}

export type ChangeResult = { readonly outcome: Outcome } | { readonly error: WireError };

/** A KeyturnError as data; the cause stays on its own side. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly options: KeyturnErrorOptions;
}

export function toWire(error: KeyturnError): WireError {
  const { code, message, fix, facts } = error;
  return { code, message, options: { facts, ...(fix === undefined ? {} : { fix }) } };
}

export function fromWire({ code, message, options }: WireError): KeyturnError {
  return new KeyturnError(code, message, options);
}
