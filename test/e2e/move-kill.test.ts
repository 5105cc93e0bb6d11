import { rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../src/compose/open.ts';
import { spkiOfPkcs8 } from '../../src/x509/private-key.ts';
import { TestCa } from '../fakes/ca.ts';
import { edit, TestInstance } from './instance.ts';
import { randomFrom } from './kill/random.ts';
import { ServerProcess } from './kill/server-process.ts';

/** Kills of a server that moves records to and fro; more for a campaign. */
const ROUNDS = Number(process.env['KEYTURN_KILL_ROUNDS'] ?? 12);
const SEED = Number(process.env['KEYTURN_KILL_SEED'] ?? 20_261);

const KEY = 'versions/lean/sandbox/1';
const TOKEN = 'companions/lean/sandbox/app-token/1';
const VALUE = 'an app token';
const ARCHIVE = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };

let home: string;
let token: string;
let ca: string;

beforeAll(async () => {
  const made = await TestInstance.start();
  await edit(join(made.home, 'keyturn.yaml'), (config) => ({ ...config, stores: { archive: ARCHIVE } }));
  await made.restart();
  const partner = await TestCa.create();
  const { keyPem, certificatePem } = await partner.client();
  await made.import('lean/sandbox', { 'all.pem': Buffer.from(keyPem + certificatePem + partner.certificatePem) });
  await made.call('PUT', '/v1/credentials/lean%2Fsandbox/companions/app-token', {
    raw: Buffer.from(VALUE),
    headers: { 'content-type': 'application/octet-stream' },
  });
  await made.serving.stop();
  ({ home, admin: token } = made);
  ca = await made.ca;
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

test(`killed ${ROUNDS} times while records move and old copies are destroyed, nothing is lost and all is settled`, {
  timeout: ROUNDS * 30_000,
}, async () => {
  const random = randomFrom(SEED);
  let answers = 0;
  let next = new ServerProcess();
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = next;
    const url = await server.serve(home);
    if (url === null) throw new Error('The server ended by itself.');
    // While one works the next one loads its code.
    next = new ServerProcess();
    const killed = pause(20 + random() * 400).then(() => server.kill());
    answers += await moveUntilGone(url, server.ended);
    await killed;
    expect(await examined(), `seed ${SEED}, round ${round}`).toEqual([]);
  }
  await next.kill();
  expect(answers).toBeGreaterThan(0);
});

/** Each record to the other store, its old copy destroyed, over and over. Gives how many answers came. */
async function moveUntilGone(url: string, gone: Promise<unknown>): Promise<number> {
  const agent = new Agent({ keepAlive: true, ca });
  let [over, answers] = [false, 0];
  void gone.then(() => {
    over = true;
  });
  while (!over) {
    for (const record of [KEY, TOKEN]) {
      for (const [from, to] of [
        ['file', 'archive'],
        ['archive', 'file'],
      ] as const) {
        const moved = await ask(agent, url, 'POST', `/v1/stores/${from}/moves`, { to, record });
        if (moved === null) break;
        answers += 1;
        if (typeof moved['move'] === 'string') await ask(agent, url, 'DELETE', `/v1/copies/${moved['move']}`);
      }
    }
  }
  agent.destroy();
  return answers;
}

/** Null when the connection broke. A record that lies in the other store is a refusal, and an answer. */
function ask(agent: Agent, url: string, method: string, path: string, json?: object) {
  const body = json === undefined ? '' : JSON.stringify(json);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-length': Buffer.byteLength(body),
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise<Record<string, unknown> | null>((resolve) => {
    const outgoing = request(new URL(path, url), { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(null));
      response.on('close', () =>
        resolve(
          response.complete ? (JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>) : null,
        ),
      );
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(body);
  });
}

/** Everything that is wrong after a kill, a sentence each. That it opens at all says that both stores are explained. */
async function examined(): Promise<string[]> {
  const instance = await openInstance(await loadConfig(home), { ask: cannotAsk });
  try {
    return [...(await recordFaults(instance)), ...(await moveFaults(instance)), ...(await storeFaults(instance))];
  } finally {
    await instance.close();
  }
}

async function recordFaults({ desk }: Instance): Promise<string[]> {
  const faults: string[] = [];
  const [version] = await desk.ledger.find('versions', { record: KEY });
  using key = (await desk.stores.get(version?.store ?? '')?.tryRead(KEY)) ?? undefined;
  if (key === undefined || spkiOfPkcs8(key) !== version?.spki) faults.push('the key is not where its row says');
  const [companion] = await desk.ledger.find('companions', { record: TOKEN });
  using value = (await desk.stores.get(companion?.store ?? '')?.tryRead(TOKEN)) ?? undefined;
  if (value?.bytes.toString() !== VALUE) faults.push('the companion is not where its row says');
  return faults;
}

/** Nothing is under way after a start, and every copy beside the record that counts is known as left over. */
async function moveFaults({ desk }: Instance): Promise<string[]> {
  const open = await desk.ledger.find('moves', { state: { in: ['copying', 'destroying'] } });
  const faults = open.map(({ record, state }) => `${record} is ${state} after a start`);
  for (const [name, store] of desk.stores) {
    for (const record of (await store.list()).filter((each) => !each.startsWith('system/'))) {
      const rows = [
        ...(await desk.ledger.find('versions', { record })),
        ...(await desk.ledger.find('companions', { record })),
      ];
      const left = await desk.ledger.find('moves', { record, source: name, state: 'left' });
      if (rows[0]?.store !== name && left.length !== 1) faults.push(`nobody knows the copy of ${record} in ${name}`);
    }
  }
  return faults;
}

async function storeFaults({ desk }: Instance): Promise<string[]> {
  const faults: string[] = [];
  for (const [name, store] of desk.stores) {
    const [known] = await desk.ledger.find('stores', { store: name });
    if (known?.digest !== (await store.attest())?.digest) faults.push(`the ledger does not know ${name} as it is`);
  }
  return faults;
}
