import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectedTcp } from '../../tls/connect.ts';
import { KEYTURN, Keyturn } from '../keyturn.ts';
import { PROCESSES_MS } from './server-process.ts';

const BODY = JSON.stringify({ principal: 'service:slow', ttlSeconds: 60, comment: 'test' });

let keyturn: Keyturn;
let child: ChildProcess;
let url: string;
let log: string;
let closed: Promise<[number | null, string | null]>;

beforeAll(async () => {
  keyturn = await Keyturn.at();
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
});

afterAll(() => keyturn[Symbol.asyncDispose]());

beforeEach(async () => {
  const env = { ...process.env, KEYTURN_HOME: keyturn.home };
  child = spawn(process.execPath, [KEYTURN, 'server'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  closed = once(child, 'close') as typeof closed;
  log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString('utf8');
  });
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  url = /https:\S+/.exec(line)?.[0] ?? '';
});

async function logged(event: string): Promise<void> {
  while (!log.includes(`"event":"${event}"`)) await once(child.stderr!, 'data');
}

/** One that the server waits for the end of, until `asked` is ended with `BODY`. */
async function requestUnderWay(): Promise<{ asked: ClientRequest; answer: Promise<number | null> }> {
  const [ca, token] = await Promise.all(
    ['listener/ca.crt', 'admin/token'].map((name) => readFile(`${keyturn.home}/${name}`, 'utf8')),
  );
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': BODY.length,
    expect: '100-continue',
  };
  const asked = request(new URL('/v1/tokens', url), { method: 'POST', ca, agent: false, headers });
  const answer = new Promise<number | null>((resolve) => {
    asked.on('response', (response: IncomingMessage) => resolve(response.resume().statusCode ?? null));
    asked.on('error', () => resolve(null));
  });
  asked.flushHeaders();
  await once(asked, 'continue');
  return { asked, answer };
}

/** When the server has begun to end. */
async function closedToAll(): Promise<void> {
  for (let isOpen = true; isOpen; ) {
    isOpen = await connectedTcp(Number(new URL(url).port)).then(
      (socket) => socket.destroy() !== undefined,
      () => false,
    );
  }
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s that comes twice, as npm hands it on, cuts no request off',
  {
    timeout: PROCESSES_MS,
  },
  async (signal) => {
    const { asked, answer } = await requestUnderWay();
    child.kill(signal);
    await closedToAll();
    // Two of a kind that nobody has looked at yet would be one.
    child.kill(signal);
    asked.end(BODY);
    expect([await answer, await closed]).toEqual([201, [0, null]]);
  },
);

test('a signal that comes again later ends the server at once', { timeout: PROCESSES_MS }, async () => {
  const { answer } = await requestUnderWay();
  const again = setInterval(() => child.kill('SIGTERM'), 3_000);
  child.kill('SIGTERM');
  expect([await answer, await closed]).toEqual([null, [null, 'SIGTERM']]);
  clearInterval(again);
});

test('SIGHUP, which others read their files anew for, ends no server that has no terminal', {
  timeout: PROCESSES_MS,
}, async () => {
  child.kill('SIGHUP');
  await Promise.race([logged('hang-up-ignored'), closed]);
  expect(await keyturn.json(['whoami'])).toMatchObject({ principal: 'person:alice' });
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
});

test('a server whose ledger has failed ends when it is told to', { timeout: PROCESSES_MS }, async () => {
  const ledger = new DatabaseSync(join(keyturn.home, 'ledger', 'ledger.db'));
  ledger.exec('ALTER TABLE entries RENAME TO gone');
  try {
    expect(await keyturn.refusal(['token', 'create', 'service:x'])).toMatchObject({
      exit: 6,
      code: 'ledger_unavailable',
    });
    child.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
  } finally {
    ledger.exec('ALTER TABLE gone RENAME TO entries');
    ledger.close();
  }
});
