import type { ServerResponse } from 'node:http';

/** Whoever takes nothing for so long has gone, or holds on to what it does not want, milliseconds. */
const LONGEST_STILL_MS = 60_000;

/** Sends each piece when the one before it was taken, and ends; whoever takes none of it is cut off. */
export async function sendPieces(
  response: ServerResponse,
  pieces: AsyncIterable<string | Buffer>,
  longestStillMs = LONGEST_STILL_MS,
): Promise<void> {
  for await (const piece of pieces) {
    if (response.destroyed) return;
    if (!response.write(piece)) await drained(response, longestStillMs);
  }
  response.end();
}

function drained(response: ServerResponse, longestStillMs: number): Promise<void> {
  return new Promise((resolve) => {
    const still = setTimeout(() => response.destroy(), longestStillMs).unref();
    const done = () => {
      clearTimeout(still);
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
