import type { Agent } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';

/** What one call came to. Times are milliseconds of the monotonic clock. */
export interface Called {
  readonly status: number;
  /** Node's error code; null when an answer came. */
  readonly error: string | null;
  readonly body: string;
  readonly started: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly agent: Agent;
  readonly total: number;
  readonly inFlight: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Ask for a connection of one's own each time. */
  readonly newConnections: boolean;
  /** Run once when this many calls have begun; the load goes on meanwhile. */
  readonly at?: { readonly call: number; readonly act: () => Promise<void> };
}

/** Calls at most, however long the act takes. */
const MOST = 20_000;

/** At least `total` calls, `inFlight` at a time, and some more once the act is done. */
export async function load(options: LoadOptions): Promise<Called[]> {
  const calls: Called[] = [];
  let begun = 0;
  let wanted = options.total;
  let act = Promise.resolve();
  const lane = async (): Promise<void> => {
    while (begun < wanted) {
      begun += 1;
      if (begun === options.at?.call) {
        wanted = MOST;
        act = options.at.act().finally(() => {
          wanted = Math.max(options.total, begun + 4 * options.inFlight);
        });
      }
      calls.push(await one(options));
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, lane));
  await act;
  return calls;
}

function one({ url, agent, headers, newConnections }: LoadOptions): Promise<Called> {
  const started = performance.now();
  return new Promise((resolve) => {
    const call = request(url, { agent, headers: { ...headers, ...(newConnections ? { connection: 'close' } : {}) } });
    call.on('response', (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, error: null, body, started }),
        () => resolve({ status: 0, error: 'cut', body: '', started }),
      );
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ status: 0, error: error.code ?? error.message, body: '', started });
    });
    call.end();
  });
}
