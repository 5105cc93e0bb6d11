/**
 * A service in a process of its own: `caller.ts CONNECTION TOKEN URL LANES kept|new`. Calls its partner without a pause
 * until SIGTERM, and then says as one line of JSON how often, and what failed. SIGUSR2: says so and begins to count anew.
 */
import { request } from 'node:https';
import { connect, keyturnErrorIn } from '../../../src/client/index.ts';

const [connection = '', token = '', url = '', lanes = '4', connections = 'kept'] = process.argv.slice(2);
const client = await connect({ connection, token });
const credential = await client.credential('lean/sandbox');
const agent = credential.mtlsAgent();
const counts = { calls: 0, failed: 0, swaps: 0, repeated: 0, failures: {} as Record<string, number> };
const CLOSED = 'kept_connection_closed';
let over = false;

credential.on('rotated', () => {
  counts.swaps += 1;
});
process.on('SIGTERM', () => {
  over = true;
});
process.on('SIGUSR2', () => {
  tell();
  Object.assign(counts, { calls: 0, failed: 0, swaps: 0, repeated: 0, failures: {} });
});

function tell(): void {
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}

function call(): Promise<string | null> {
  return new Promise((resolve) => {
    const headers = {
      'lean-app-token': credential.companion('lean-app-token').toString(),
      ...(connections === 'new' ? { connection: 'close' } : {}),
    };
    const asked = request(url, { agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? null : `HTTP ${response.statusCode}`));
      response.on('error', () => resolve('cut'));
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(nameOf(error)));
    asked.end();
  });
}

function nameOf(error: NodeJS.ErrnoException): string {
  const told = keyturnErrorIn(error);
  if (told?.facts['cause'] === CLOSED) return CLOSED;
  return told?.code ?? error.code ?? 'error';
}

/** As many kept connections as there are lanes may have been ended at once. */
const MOST_REPEATED = 8;

/** A server may end a kept connection at any time; a GET that it overtook is made again (RFC 9110 section 9.2.2). */
async function callAgain(): Promise<string | null> {
  let failure = await call();
  for (let again = 0; failure === CLOSED && again < MOST_REPEATED; again += 1) {
    counts.repeated += 1;
    failure = await call();
  }
  return failure;
}

async function lane(): Promise<void> {
  while (!over) {
    const failure = await callAgain();
    counts.calls += 1;
    if (failure !== null) {
      counts.failed += 1;
      counts.failures[failure] = (counts.failures[failure] ?? 0) + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

process.stdout.write('{"ready":true}\n');
await Promise.all(Array.from({ length: Number(lanes) }, lane));
tell();
await credential.close();
await client.close();
