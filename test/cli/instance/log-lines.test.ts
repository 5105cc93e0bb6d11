import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYTURN, Keyturn } from '../keyturn.ts';
import { PROCESSES_MS } from './server-process.ts';

/** As long as lines are gathered, and for a busy machine as much again, milliseconds. */
const GATHERED_MS = 250;
const LATE_MS = 250;

/** What a program does that is not told to end: a signal each. */
const ENDS = `
  process.on('SIGUSR2', () => { throw new Error('nobody caught it'); });
  process.on('SIGWINCH', () => process.exit(3));
`;

let keyturn: Keyturn;
let agent: Agent;
let token: string;

beforeAll(async () => {
  keyturn = await Keyturn.at();
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
  agent = new Agent({ keepAlive: true, ca: await readFile(`${keyturn.home}/listener/ca.crt`) });
  token = await readFile(`${keyturn.home}/admin/token`, 'utf8');
});

afterAll(async () => {
  agent.destroy();
  await keyturn[Symbol.asyncDispose]();
});

interface Answered {
  /** The id that its line and its entries bear. */
  readonly id: string;
  /** When the answer came, milliseconds. */
  readonly at: number;
}

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly closed: Promise<readonly [number | null, string | null]>;
  /** Ids of the requests that have a line, once the process is gone. */
  readonly logged: Promise<Set<string>>;
}

async function start(): Promise<Server> {
  const preload = `data:text/javascript,${encodeURIComponent(ENDS)}`;
  const env = { ...process.env, KEYTURN_HOME: keyturn.home };
  const child = spawn(process.execPath, ['--import', preload, KEYTURN, 'server'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const logged = text(child.stderr).then(idsOf);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, url: /https:\S+/.exec(line)?.[0] ?? '', closed, logged };
}

function idsOf(log: string): Set<string> {
  const lines = log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  const parsed = lines.map((line) => JSON.parse(line) as { event: string; id?: string });
  return new Set(parsed.flatMap(({ event, id }) => (event === 'request' && id !== undefined ? [id] : [])));
}

/** Null when the server is gone. */
function ask(url: string, method = 'GET', path = '/v1/whoami', json = ''): Promise<Answered | null> {
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': json.length,
    };
    const asked = request(new URL(path, url), { method, agent, headers }, (response) => {
      response.resume();
      response.on('error', () => resolve(null));
      response.on('end', () => resolve({ id: String(response.headers['x-request-id']), at: performance.now() }));
    });
    asked.on('error', () => resolve(null));
    asked.end(json);
  });
}

const makeToken = (url: string) =>
  ask(url, 'POST', '/v1/tokens', JSON.stringify({ principal: 'service:a', ttlSeconds: 60, comment: 'test' }));

/** Asks one after the other until the server is gone. */
async function askOn(url: string): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (let turn = 0; ; turn += 1) {
    const one = await (turn % 4 === 0 ? makeToken(url) : ask(url));
    if (one === null) return answered;
    answered.push(one);
  }
}

test.each([
  ['told to end', 'SIGTERM', [0, null]],
  ['broken by an error that nobody caught', 'SIGUSR2', [1, null]],
  ['ended by its own program', 'SIGWINCH', [3, null]],
] as const)(
  'a server that is %s has written a line of every request',
  { timeout: PROCESSES_MS },
  async (_, signal, end) => {
    const { child, url, closed, logged } = await start();
    const answered: (Answered | null)[] = [];
    for (let asked = 0; asked < 5; asked += 1) answered.push(await ask(url));
    child.kill(signal);
    expect(await closed).toEqual(end);
    for (const one of answered) expect([...(await logged)]).toContain(one?.id);
  },
);

test('a server whose log nobody reads answers on, ends, and says how many lines are missing once somebody reads again', {
  timeout: PROCESSES_MS,
}, async () => {
  const preload = `data:text/javascript,${encodeURIComponent(ENDS)}`;
  const env = { ...process.env, KEYTURN_HOME: keyturn.home };
  const child = spawn(process.execPath, ['--import', preload, KEYTURN, 'server'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const url = /https:\S+/.exec(line)?.[0] ?? '';
  // More than what a pipe and its reader hold, and than what is kept for them.
  for (let round = 0; round < 150; round += 1)
    await Promise.all(Array.from({ length: 100 }, () => ask(url, 'GET', '/livez')));
  const hold = { target: 'host', subject: '192.0.2.1', reason: 'leaked' };
  expect(await ask(url, 'POST', '/v1/holds', JSON.stringify(hold))).not.toBeNull();
  const log = text(child.stderr);
  await expect
    .poll(async () =>
      ask(url)
        .then(() => pause(100))
        .then(() => child.stderr.readableLength),
    )
    .toBe(0);
  child.kill('SIGTERM');
  await closed;
  const events = (await log)
    .trimEnd()
    .split('\n')
    .map((each) => JSON.parse(each) as { event: string; count?: number });
  const lost = events.filter(({ event }) => event === 'log-lines-lost').reduce((sum, { count = 0 }) => sum + count, 0);
  expect(lost).toBeGreaterThan(0);
  expect(lost + events.filter(({ event }) => event === 'request').length).toBeGreaterThanOrEqual(15_001);
});

test('of a server that is killed lines of the last moment alone are missing, and no entry', {
  timeout: PROCESSES_MS,
}, async () => {
  const { child, url, closed, logged } = await start();
  const asking = askOn(url);
  await pause(1_500);
  const killed = performance.now();
  child.kill('SIGKILL');
  const answered = await asking;
  expect(await closed).toEqual([null, 'SIGKILL']);
  const ids = await logged;
  const missing = answered.filter(({ id }) => !ids.has(id));
  expect(ids.size).toBeGreaterThan(20);
  expect(missing.map(({ at }) => killed - at).filter((age) => age > GATHERED_MS + LATE_MS)).toEqual([]);

  // The log that counts has all of it.
  const again = await start();
  const entries = await keyturn.json<{ items: { request?: string }[] }>([
    'audit',
    'query',
    '--kind',
    'token.created',
    '--newest',
    '--limit',
    '1000',
  ]);
  const recorded = new Set(entries.items.map((entry) => entry.request));
  expect(answered.length).toBeGreaterThan(missing.length);
  const tokens = answered.filter((_each, turn) => turn % 4 === 0);
  for (const { id } of tokens) expect(recorded.has(id), id).toBe(true);
  again.child.kill('SIGTERM');
  await again.closed;
});
