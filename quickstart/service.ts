/**
 * The payments service of the story: it has a connection file and a token, no key file. It calls both endpoints of
 * the partner over and over with axios and Keyturn's agent, and tells each outcome as a line of JSON.
 */
import axios from 'axios';
import { connect, keyturnErrorIn } from '../src/client/index.ts';

const urls = process.argv.slice(2);
const tell = (told: object) => process.stdout.write(`${JSON.stringify(told)}\n`);

const keyturn = await connect({ connection: 'payments.connection.json', token: 'payments.token' });
const lean = await keyturn.credential('lean/sandbox');
const agent = lean.mtlsAgent();
for (const event of ['rotated', 'ended', 'alarm'] as const) {
  lean.on(event, (detail: unknown) => tell({ kind: 'event', text: event, ...(detail as object) }));
}
tell({ kind: 'started' });

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

while (!stop.signal.aborted) {
  for (const url of urls) {
    try {
      const { status } = await axios.get(`${url}/banks/v1`, {
        httpsAgent: agent,
        proxy: false,
        headers: { 'lean-app-token': lean.companion('lean-app-token').toString() },
        validateStatus: () => true,
      });
      tell({ kind: 'call', ok: status === 200, status, url });
    } catch (error) {
      // A call that was under way when the freeze came fails as on any lost connection; why is among its causes.
      const { code, message } = keyturnErrorIn(error) ?? (error as Error & { code?: string });
      tell({ kind: 'call', ok: false, url, code, text: message });
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 15));
}
await lean.close();
await keyturn.close();
tell({ kind: 'ended' });
