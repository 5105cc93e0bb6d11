import type { IncomingMessage } from 'node:http';

/** Fetch standard, "null body status". */
const WITHOUT_BODY = new Set([101, 103, 204, 205, 304]);

/** A global `Response` whose body is read from the socket as fast as the application reads it. */
export function partnerResponse(message: IncomingMessage, url: URL, signal: AbortSignal | null): Response {
  const status = message.statusCode ?? 0;
  const body = WITHOUT_BODY.has(status) ? discard(message) : bodyOf(message, signal);
  const statusText = message.statusMessage ?? '';
  const response = new Response(body, { status, statusText, headers: headersOf(message) });
  // A Response that is made, not fetched, has an empty url; applications log it and resolve links against it.
  return Object.defineProperty(response, 'url', { value: url.href.split('#', 1)[0] });
}

function discard(message: IncomingMessage): null {
  message.resume();
  return null;
}

function headersOf(message: IncomingMessage): [string, string][] {
  const { rawHeaders } = message;
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!, rawHeaders[at + 1]!]);
  return pairs;
}

function bodyOf(message: IncomingMessage, signal: AbortSignal | null): ReadableStream<Uint8Array> {
  let ended = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        message.pause();
        message.on('data', (chunk: Buffer) => {
          controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        });
        message.on('end', () => {
          ended = true;
          controller.close();
        });
        const fail = (error: unknown): void => {
          if (!ended) controller.error(signal?.aborted === true ? signal.reason : error);
          ended = true;
        };
        message.on('error', fail);
        message.on('close', () => fail(new Error('The partner broke off its answer.')));
      },
      pull() {
        message.resume();
      },
      cancel(reason) {
        ended = true;
        message.destroy(reason instanceof Error ? reason : undefined);
      },
    },
    { highWaterMark: 1 },
  );
}
