import { type Logger, pino } from 'pino';
import { KeyturnError } from '../core/errors.ts';

/** One line a request. An allow-list: these fields and no others are ever logged. */
export interface RequestLine {
  readonly id: string;
  readonly operation: string;
  readonly status: number;
  readonly outcome: string;
  readonly seconds: number;
}

/** The server's log: typed events only, never a whole error or request object. */
export class ServerLog {
  readonly #pino: Logger;

  constructor(options: { readonly level?: string; readonly destination?: NodeJS.WritableStream } = {}) {
    const settings = { level: options.level ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime };
    this.#pino =
      options.destination === undefined ? pino(settings, pino.destination(2)) : pino(settings, options.destination);
  }

  request({ id, operation, status, outcome, seconds }: RequestLine): void {
    this.#pino.info({ event: 'request', id, operation, status, outcome, seconds: Math.round(seconds * 1e6) / 1e6 });
  }

  /** Something that an operator should know of. `facts` are public. */
  notice(event: string, facts: Readonly<Record<string, string | number | boolean>> = {}): void {
    this.#pino.info({ event, ...facts });
  }

  warning(event: string, facts: Readonly<Record<string, string | number | boolean>> = {}): void {
    this.#pino.warn({ event, ...facts });
  }

  /** A bug of ours: its class and where it was thrown. Its message stays out, since it may quote input. */
  fault(id: string, error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    const message = error instanceof KeyturnError ? error.message : undefined;
    this.#pino.error({
      event: 'fault',
      id,
      name,
      ...(message === undefined ? {} : { message }),
      frames: framesOf(error),
    });
  }
}

/** Stack frames alone: V8 puts the message, which may quote input, on the lines before the first frame. */
function framesOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => line.trim());
}
