import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Credential, connect, type KeyturnClient } from '../../src/client/index.ts';
import { RotationStage } from '../rotation/stage.ts';

const MOST = 40;

let stage: RotationStage;
const clients: KeyturnClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await stage.strike();
});

/** Processes of one service, as far as their keys make them that. */
async function service(): Promise<() => Promise<Credential>> {
  const token = await stage.keyturn.grant('service:payments', 'service');
  const written = JSON.parse(await readFile(join(stage.home, 'admin', 'connection.json'), 'utf8')) as object;
  const connection = JSON.parse(JSON.stringify({ ...written, servers: [stage.keyturn.url] }));
  return async () => {
    const client = await connect({ connection, token: () => Buffer.from(token) });
    clients.push(client);
    return client.credential('lean/sandbox');
  };
}

async function call(credential: Credential): Promise<number> {
  const headers = { 'lean-app-token': stage.partner.appToken };
  try {
    const response = await credential.fetch(`${stage.partner.mtlsUrl}/banks/v1`, { headers });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

async function callAll(all: readonly Credential[]): Promise<number[]> {
  const statuses = [];
  for (const one of all) statuses.push(await call(one));
  return statuses;
}

test('a certificate that passes the canary and then fails its first clients is taken back before the others get it', async () => {
  stage = await RotationStage.set({ swap: { share: 0.5, for: '10m' } });
  const begin = await service();
  const all = [await begin(), await begin(), await begin(), await begin()];
  expect(await callAll(all)).toEqual(all.map(() => 200));
  await stage.start();
  const { serial } = await stage.import();
  await stage.until('shared', ({ step, waitsFor }) => step === 'share' && waitsFor !== null);
  await Promise.all(all.map((one) => one.renew()));
  // It is drawn who is first: until there are some of either.
  while (new Set(all.map(({ version }) => version)).size < 2 && all.length < MOST) all.push(await begin());
  const versions = all.map(({ version }) => version);
  expect(new Set(versions)).toEqual(new Set([1, 2]));
  expect(await callAll(all)).toEqual(all.map(() => 200));
  await stage.partner.revoke(serial);
  for (let round = 0; round < 4; round += 1) await callAll(all);
  await Promise.all(all.map((one) => one.renew()));
  const ended = await stage.untilState('rolled-back');
  expect(ended.found).toMatchObject({ undone: { by: 'system' }, shareSeen: { old: { failures: 0 } } });
  expect(all.map(({ version }) => version)).toEqual(all.map(() => 1));
  expect(await callAll(all)).toEqual(all.map(() => 200));
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'retired' });
}, 60_000);
