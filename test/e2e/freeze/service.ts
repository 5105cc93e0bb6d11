/**
 * A service in a process of its own: calls its partner over and over, and tells each outcome as a line of JSON with
 * the time at which the call began.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, keyturnErrorIn } from '../../../src/client/index.ts';

const [connection = '', token = '', url = ''] = process.argv.slice(2);
const tell = (told: object) => process.stdout.write(`${JSON.stringify(told)}\n`);

const client = await connect({
  connection,
  token,
  on: {
    leased: ({ expiresAt }) => tell({ kind: 'leased', at: Date.now(), expiresAt }),
    renewed: ({ expiresAt }) => tell({ kind: 'renewed', at: Date.now(), expiresAt }),
    alarm: ({ error }) => tell({ kind: 'alarm', at: Date.now(), code: error.code }),
    ended: ({ reason }) => tell({ kind: 'ended', at: Date.now(), code: reason.code }),
  },
});
const credential = await client.credential('lean/sandbox');

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
while (!stop.signal.aborted) {
  const at = Date.now();
  try {
    const { status } = await credential.fetch(`${url}/banks/v1`);
    tell({ kind: 'call', at, ok: true, status });
  } catch (error) {
    tell({ kind: 'call', at, ok: false, code: keyturnErrorIn(error)?.code ?? String(error) });
  }
  await sleep(20);
}
await client.close();
