import { type DestinationStream, type Logger, pino } from 'pino';
import { timestamp } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';

/** One line a request. An allow-list: these fields and no others are ever logged. */
export interface RequestLine {
  readonly id: string;
  readonly operation: string;
  readonly status: number;
  readonly outcome: string;
  readonly seconds: number;
}

const INFO = pino.levels.values['info'];

/**
 * Lines of requests are written together, those of events at once, and with them what was gathered. A process that ends,
 * by an error too, writes the rest; one that is killed doesn't. What must not be lost is on the audit log.
 */
const GATHERED_OCTETS = 8_192;
const GATHERED_MS = 250;

/** The server's log: typed events only, never a whole error or request object. */
export class ServerLog {
  readonly #pino: Logger;
  readonly #destination: { write(line: string): unknown };
  readonly #flush: () => void;

  constructor(options: { readonly level?: string; readonly destination?: NodeJS.WritableStream } = {}) {
    const settings = { level: options.level ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime };
    if (options.destination !== undefined) {
      this.#pino = pino(settings, options.destination);
      this.#destination = options.destination;
      this.#flush = () => {};
      return;
    }
    const { destination, flush } = standardError();
    this.#pino = pino(settings, destination);
    this.#destination = destination;
    this.#flush = flush;
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
    this.#flush();
  }

  warning(event: string, facts: Readonly<Record<string, string | number | boolean>> = {}): void {
    this.#pino.warn({ event, ...facts });
    this.#flush();
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
    this.#flush();
  }

  /** For whoever is about to end the process in a way that leaves it no time. */
  flush(): void {
    this.#flush();
  }
}

function standardError(): { destination: DestinationStream; flush: () => void } {
  const stream = pino.destination({ dest: 2, sync: true, minLength: GATHERED_OCTETS, periodicFlush: GATHERED_MS });
  const flush = () => stream.flushSync();
  process.once('exit', flush);
  return { destination: stream, flush };
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
