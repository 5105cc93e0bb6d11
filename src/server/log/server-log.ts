import { type Logger, pino } from 'pino';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { LogOutput } from './output.ts';

/** One line a request. An allow-list: these fields and no others are ever logged. */
export interface RequestLine {
  readonly id: string;
  readonly operation: string;
  readonly status: number;
  readonly outcome: string;
  readonly seconds: number;
}

const { info: INFO, warn: WARN } = pino.levels.values;

/**
 * The server's log: typed events only, never a whole error or request object. Lines of requests are written together,
 * those of events at once, and with them what was gathered. A process that ends, by an error too, writes the rest; one
 * that is killed doesn't. What must not be lost is on the audit log.
 */
export class ServerLog {
  readonly #pino: Logger;
  readonly #destination: { write(line: string): unknown };
  readonly #output: LogOutput | null;

  constructor(options: { readonly level?: string; readonly destination?: NodeJS.WritableStream } = {}) {
    const settings = { level: options.level ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime };
    const destination = options.destination ?? LogOutput.standardError(lostLine);
    this.#output = destination instanceof LogOutput ? destination : null;
    this.#destination = destination;
    this.#pino = pino(settings, this.#destination);
  }

  /** As pino would write it, at a fifth of the cost. */
  request({ id, operation, status, outcome, seconds }: RequestLine): void {
    if (!this.#pino.isLevelEnabled('info')) return;
    const head = { level: INFO, time: timestamp(Date.now()), event: 'request' };
    const line = { ...head, id, operation, status, outcome, seconds: Math.round(seconds * 1e6) / 1e6 };
    this.#destination.write(`${JSON.stringify(line)}\n`);
  }

  /** Something that an operator should know of. `facts` are public. */
  notice(event: string, facts: Readonly<Record<string, string | number | boolean>> = {}): void {
    this.#pino.info({ event, ...facts });
    this.#output?.flush();
  }

  warning(event: string, facts: Readonly<Record<string, string | number | boolean>> = {}): void {
    this.#pino.warn({ event, ...facts });
    this.#output?.flush();
  }

  /** A bug of ours: its class and where it was thrown. Its message stays out, since it may quote input. */
  fault(id: string, error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    this.#pino.error({
      event: 'fault',
      id,
      name,
      ...(error instanceof KeyturnError ? toldBy(error) : {}),
      frames: framesOf(error),
    });
    this.#output?.flush();
  }

  /** For whoever is about to end the process in a way that leaves it no time. */
  end(): void {
    this.#output?.end();
  }
}

function lostLine(count: number): string {
  return `${JSON.stringify({ level: WARN, time: timestamp(Date.now()), event: 'log-lines-lost', count })}\n`;
}

/** What a KeyturnError says of itself, all of which is meant for people. */
export function toldBy({ code, message, fix, facts }: KeyturnError): Record<string, string> {
  const { reason } = facts;
  return { code, ...(typeof reason === 'string' ? { reason } : {}), message, ...(fix === undefined ? {} : { fix }) };
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
