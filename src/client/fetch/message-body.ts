import type { IncomingMessage } from 'node:http';

/** Gives the reason behind the error that a body was broken off with: an abort, the end of the lease, or that error. */
export type Why = (error: unknown) => unknown;

/**
 * The whole body at once. To be called
 * before anything else listens to the message.
 */
export function readWhole(message: IncomingMessage, why: Why): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (message.destroyed && !message.readableEnded) {
      reject(brokenOff(message.errored, why));
      return;
    }
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    message.on('error', (error) => reject(brokenOff(error, why)));
    // Without an error of its own a message that was cut still closes; an Error made for every good one is dear.
    message.on('close', () => message.readableEnded || reject(brokenOff(null, why)));
  });
}

/** The body as a web stream that reads no more from the socket than it is asked for. */
export function bodyStream(message: IncomingMessage, why: Why): ReadableStream<Uint8Array> {
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (error: Error | null): void => {
          over = true;
          controller.error(brokenOff(error, why));
        };
        if (message.destroyed && !message.readableEnded) return fail(message.errored);
        message.pause();
        message.on('data', (chunk: Buffer) => {
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        });
        message.on('end', () => {
          if (!over) controller.close();
          over = true;
        });
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
