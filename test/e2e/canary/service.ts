/**
 * A service of which everything is searched: it borrows a credential, uses it in every way there is, and shows its
 * parent all that its objects and errors would show anybody. What it is told to hold or to print it leaks on purpose.
 */
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import axios from 'axios';
import * as undici from 'undici';
import { type Credential, connect } from '../../../src/client/index.ts';
import { everythingOf } from './search/everything.ts';

const [connection = '', token = '', url = ''] = process.argv.slice(2);
const events: unknown[] = [];
const note = (event: unknown) => void events.push(event);
const on = { leased: note, renewed: note, rotated: note, drained: note, alarm: note, ended: note, refused: note };
const leaks: unknown[] = [];

const client = await connect({ connection, token, on });
let credential: Credential | null = await client.credential('lean/sandbox');

/** Everything in use at once: idle and running sockets, requests, answers, errors. */
async function show(lent: Credential): Promise<Buffer> {
  const agent = lent.mtlsAgent();
  const dispatcher = lent.dispatcher(undici);
  const running = request(`${url}/banks/v1`, { agent }).end();
  const [response] = await once(running, 'response');
  const shown = { client, credential: lent, agent, dispatcher, running, response, socket: response.socket };
  const during = everythingOf(shown);
  response.resume();
  await once(response, 'end');
  lent.companion('lean-app-token').fill(0);
  const answers = [await lent.fetch(`${url}/banks/v1`), await undici.request(`${url}/banks/v1`, { dispatcher })];
  const errors = await Promise.all(failures(lent).map((failing) => failing.catch((error: unknown) => error)));
  const things = [...answers, ...errors, agent.sockets, agent.freeSockets, agent.requests, lent.status(), events];
  const octets = [during, ...things.map(everythingOf), everythingOf(shown)];
  return Buffer.concat([...octets, Buffer.from(errors.map((error) => inspect(error, { depth: 20 })).join('\n'))]);
}

/** Calls that fail each for another reason, as axios, fetch, undici and the runtime tell it. */
function failures(lent: Credential): Promise<unknown>[] {
  const httpsAgent = lent.mtlsAgent();
  const dispatcher = lent.dispatcher(undici);
  const elsewhere = 'https://elsewhere.example/';
  return [
    axios.get(elsewhere, { httpsAgent, proxy: false }),
    axios.get(`${url}/banks/v1`, { httpsAgent, proxy: false }),
    axios.get(`${url}/banks/v1`, { httpsAgent, proxy: false, timeout: 1 }),
    lent.fetch(elsewhere),
    lent.fetch('http://localhost/'),
    undici.request(elsewhere, { dispatcher }),
    once(request(`${url}/banks/v1`, { agent: httpsAgent, ca: 'none' }).end(), 'response'),
    client.credential('lean/production'),
    client.credential('no/such/thing'),
    Promise.reject(new Error('of the credential itself', { cause: { lent, httpsAgent, client } })),
    (async () => lent.companion('other'))(),
  ];
}

async function collect(): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    global.gc?.();
    await sleep(20);
  }
}

const ORDERS: Record<string, (text: string) => Promise<unknown>> = {
  show: async () => (credential === null ? Buffer.alloc(0) : show(credential)),
  'show a leak': async (text) => everythingOf(new Agent({ key: text })),
  collect,
  hold: async (text) => void leaks.push(`held: ${text}`),
  'put into the environment': async (text) => {
    process.env['LEAK'] = text;
  },
  print: async (text) => void process.stderr.write(`${text}\n`),
  close: async () => {
    credential = null;
    await client.close();
    await collect();
  },
};

process.on('disconnect', () => process.exit());
process.on('message', ({ order, text = '' }: { order: string; text?: string }) => {
  ORDERS[order]?.(text).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: inspect(error) }),
  );
});
process.send?.({ result: 'leased' });
