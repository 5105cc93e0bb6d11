import type { IncomingMessage } from 'node:http';

/** Gives the reason behind the error that a body was broken off with: an abort, the end of the lease, or that error. */
export type Why = (error: unknown) => unknown;

/**
 * Octets that are taken from the socket before anybody asks for them, so that an application which looks at the status
 * alone does not hold the connection. What is longer waits to be read or cancelled.
 */
export const EAGER_OCTETS = 65_536;

/** The beginning of a body of unknown length, taken from the socket at once. */
export class Beginning {
  readonly #message: IncomingMessage;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** To be called before anything else listens to the message. */
  constructor(message: IncomingMessage) {
    this.#message = message;
    message.on('data', this.#collect);
  }

  /** What has come; from now on the message is the caller's. */
  take(): Buffer[] {
    this.#message.pause();
    this.#message.off('data', this.#collect);
    return this.#chunks;
  }

  readonly #collect = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length > EAGER_OCTETS) this.#message.pause();
  };
}

/** The whole body at once; `begun` is what has been taken of it already. */
export function readWhole(message: IncomingMessage, why: Why, begun: readonly Buffer[] = []): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks = [...begun];
    const whole = (): void => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    if (message.readableEnded) return whole();
    if (message.destroyed) return reject(brokenOff(message.errored, why));
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', whole);
    message.on('error', (error) => reject(brokenOff(error, why)));
    // Without an error of its own a message that was cut still closes; an Error made for every good one is dear.
    message.on('close', () => message.readableEnded || reject(brokenOff(null, why)));
    message.resume();
  });
}

/** The body as a web stream that reads no more from the socket than it is asked for, after what has `begun`. */
export function bodyStream(message: IncomingMessage, why: Why, begun: readonly Buffer[]): ReadableStream<Uint8Array> {
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (error: Error | null): void => {
          over = true;
          controller.error(brokenOff(error, why));
        };
        const end = (): void => {
          if (!over) controller.close();
          over = true;
        };
        if (message.destroyed && !message.readableEnded) return fail(message.errored);
        for (const chunk of begun) controller.enqueue(new Uint8Array(chunk));
        if (message.readableEnded) return end();
        message.pause();
        message.on('data', (chunk: Buffer) => {
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        });
        message.on('end', end);
        message.on('error', (error) => over || fail(error));
        message.on('close', () => over || fail(null));
      },
      pull() {
        message.resume();
      },
      cancel() {
        over = true;
        message.destroy();
      },
    },
    { highWaterMark: 1 },
  );
}

/** Octets to come as a web stream of one chunk. */
export function streamOf(octets: Promise<Buffer>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const whole = await octets;
      if (whole.length > 0) controller.enqueue(new Uint8Array(whole));
      controller.close();
    },
  });
}

function brokenOff(error: Error | null, why: Why): unknown {
  return why(error ?? new Error('The partner broke off its answer.'));
}
