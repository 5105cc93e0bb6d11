import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { APPROVAL_WINDOW_MS } from '../../../src/access/two-persons.ts';
import { KeyturnError } from '../../../src/core/errors.ts';
import { newId } from '../../../src/core/ids.ts';
import { gateReads, Stage } from '../stage.ts';

let stage: Stage;
let payments: string;
let bob: string;
let hold: string;
beforeEach(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  bob = await stage.keyturn.grant('person:bob', 'approver');
  await stage.import();
  hold = String((await stage.freeze('version', 'lean/sandbox', { version: 1 })).body['hold']);
});
afterEach(() => stage.strike());

const thaw = (token?: string, id = hold) => stage.post(`/v1/holds/${id}/thaw`, token === undefined ? {} : { token });
const rules = async () =>
  (await stage.keyturn.entries('access.denied')).map(({ data }) => (data as { rule: string }).rule);

test('one person stops, two release', async () => {
  expect(await stage.lease(payments)).toMatchObject({ status: 403, body: { code: 'held' } });
  expect(await thaw()).toMatchObject({ body: { state: 'asked', askedBy: 'person:alice', liftedBy: null } });
  expect((await stage.lease(payments)).status).toBe(403);
  expect(await thaw(bob)).toMatchObject({ body: { state: 'lifted', askedBy: 'person:alice', liftedBy: 'person:bob' } });
  expect((await stage.lease(payments)).status).toBe(201);
  const lifted = await stage.keyturn.entries('hold.lifted');
  expect(lifted).toMatchObject([{ actor: 'person:bob', data: { hold, askedBy: 'person:alice' } }]);
});

test('whoever asks for all of a credential gets its freezes and thaws, and those of its versions', async () => {
  const whole = String((await stage.freeze('credential', 'lean/sandbox')).body['hold']);
  await stage.freeze('host', '192.0.2.1');
  await thaw();
  await thaw(bob);
  const { body } = await stage.keyturn.call('GET', '/v1/audit/entries?credential=lean%2Fsandbox&limit=1000');
  const trail = (body['items'] as { kind: string; version?: number; data: { hold?: string } }[])
    .filter(({ kind }) => kind.startsWith('hold.'))
    .map(({ kind, version, data }) => [kind, data.hold, version]);
  expect(trail).toEqual([
    ['hold.placed', hold, 1],
    ['hold.placed', whole, undefined],
    ['hold.thaw-asked', hold, 1],
    ['hold.lifted', hold, 1],
  ]);
});

test('the same person twice, with another token too, is refused and recorded', async () => {
  await thaw();
  const again = await stage.keyturn.token('person:alice');
  for (const token of [undefined, again]) {
    expect(await thaw(token)).toMatchObject({ status: 403, body: { code: 'second_person_required' } });
  }
  expect(await rules()).toEqual(['same-person', 'same-person']);
  expect((await stage.lease(payments)).status).toBe(403);
});

test('a service is never one of the two', async () => {
  const robot = await stage.keyturn.grant('service:robot', 'approver');
  expect(await thaw(robot)).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  expect(await rules()).toEqual(['person-only']);
});

test('an ask that has expired makes the next person the first again', async () => {
  await thaw();
  stage.clock.forward(APPROVAL_WINDOW_MS + 1_000);
  expect(await thaw(bob)).toMatchObject({ body: { state: 'asked', askedBy: 'person:bob' } });
  expect(await thaw()).toMatchObject({ body: { state: 'lifted' } });
});

test('an ask counts no more when its giver has lost the right', async () => {
  expect(await thaw(bob)).toMatchObject({ body: { state: 'asked' } });
  const path = join(stage.keyturn.home, 'policies/access/bindings.yaml');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replaceAll('person:bob', 'person:carol'));
  await stage.post('/v1/policy/reload');
  expect(await thaw()).toMatchObject({ body: { state: 'asked', askedBy: 'person:alice' } });
  expect((await stage.lease(payments)).status).toBe(403);
});

test('an ask counts no more when the token that it came with was revoked: whoever had it asked', async () => {
  const { id, token } = (
    await stage.post('/v1/tokens', { json: { principal: 'person:bob', ttlSeconds: 600, comment: 'stolen' } })
  ).body as Record<'id' | 'token', string>;
  expect(await thaw(token)).toMatchObject({ body: { state: 'asked', askedBy: 'person:bob' } });
  expect((await stage.keyturn.call('DELETE', `/v1/tokens/${id}`)).status).toBe(204);
  expect(await thaw()).toMatchObject({ body: { state: 'asked', askedBy: 'person:alice' } });
  expect((await stage.lease(payments)).status).toBe(403);
  expect(await thaw(bob)).toMatchObject({ body: { state: 'lifted', askedBy: 'person:alice' } });
});

test('an ask is judged by the token that it came with, whatever its giver asked for since', async () => {
  const { id, token } = (
    await stage.post('/v1/tokens', { json: { principal: 'person:bob', ttlSeconds: 600, comment: 'stolen' } })
  ).body as Record<'id' | 'token', string>;
  const other = String((await stage.freeze('credential', 'lean/sandbox')).body['hold']);
  await thaw(token);
  await thaw(bob, other);
  expect((await stage.keyturn.call('DELETE', `/v1/tokens/${id}`)).status).toBe(204);
  expect(await thaw()).toMatchObject({ body: { state: 'asked', askedBy: 'person:alice' } });
  expect(await thaw(undefined, other)).toMatchObject({ body: { state: 'lifted', askedBy: 'person:bob' } });
});

test('an ask whose token is revoked at the last moment lifts nothing', async () => {
  const { id, token } = (
    await stage.post('/v1/tokens', { json: { principal: 'person:bob', ttlSeconds: 600, comment: 'stolen' } })
  ).body as Record<'id' | 'token', string>;
  await thaw(token);
  const { ledger } = stage.desk;
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async (change) => {
    ledger.commit = commit;
    await stage.keyturn.call('DELETE', `/v1/tokens/${id}`);
    return commit(change);
  };
  expect(await thaw()).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect((await stage.lease(payments)).status).toBe(403);
});

test('the two approvals lift one hold, once: replayed, or for another hold, they do nothing', async () => {
  const other = String((await stage.freeze('credential', 'lean/sandbox')).body['hold']);
  await thaw();
  await thaw(bob);
  for (const token of [undefined, bob])
    expect(await thaw(token)).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect((await stage.lease(payments)).body).toMatchObject({ code: 'held' });
  expect(await thaw(bob, other)).toMatchObject({ body: { state: 'asked' } });
});

test('whether a hold was lifted, and by whom, is told to nobody without the right', async () => {
  await thaw();
  await thaw(bob);
  const reply = await thaw(payments);
  expect(reply.status).toBe(403);
  expect(reply.text).not.toContain('person:bob');
});

test('two second persons at once: one lifts, the other is told', async () => {
  const carol = await stage.keyturn.grant('person:carol', 'approver');
  await thaw();
  const replies = await Promise.all([thaw(bob), thaw(carol)]);
  expect(replies.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
  expect(await stage.keyturn.entries('hold.lifted')).toHaveLength(1);
});

test('each freeze is lifted by itself', async () => {
  const second = String((await stage.freeze('version', 'lean/sandbox', { version: 1 })).body['hold']);
  await thaw();
  await thaw(bob);
  expect((await stage.lease(payments)).body).toMatchObject({ code: 'held' });
  await thaw(undefined, second);
  await thaw(bob, second);
  expect((await stage.lease(payments)).status).toBe(201);
});

test('whoever is frozen has no part in lifting that', async () => {
  await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  const own = String((await stage.freeze('principal', 'person:bob')).body['hold']);
  expect(await thaw(bob, own)).toMatchObject({ status: 403, body: { code: 'second_person_required' } });
  expect(await rules()).toEqual(['hold-on-oneself']);
});

test('a hold that is placed while a lease waits stops it, also if it is lifted again meanwhile', async () => {
  await thaw();
  await thaw(bob);
  const gate = gateReads(stage.driver);
  const asked = stage.lease(payments);
  await gate.reached;
  const next = String((await stage.freeze('version', 'lean/sandbox', { version: 1 })).body['hold']);
  gate.open();
  expect(await asked).toMatchObject({ status: 403, body: { code: 'held' } });
  await thaw(undefined, next);
  await thaw(bob, next);
  expect((await stage.lease(payments)).status).toBe(201);
});

test('a hold outlives a restart, and a lifted one stays lifted', async () => {
  await stage.keyturn.restart();
  expect((await stage.lease(payments)).body).toMatchObject({ code: 'held' });
  await thaw();
  await thaw(bob);
  await stage.keyturn.restart();
  expect((await stage.lease(payments)).status).toBe(201);
});

test('a hold that the ledger has not taken yet is no unknown one: try again, and it is thawed', async () => {
  const release = stage.blockLedger();
  const frozen = await stage.freeze('credential', 'lean/sandbox');
  expect(frozen).toMatchObject({ status: 201, body: { durable: 'journal' } });
  const owed = String(frozen.body['hold']);
  expect(await thaw(undefined, owed)).toMatchObject({
    status: 503,
    body: { code: 'ledger_unavailable', detail: expect.stringContaining('emergency journal') },
  });
  release();
  expect(await thaw(undefined, owed)).toMatchObject({ body: { state: 'asked' } });
  expect(await thaw(bob, owed)).toMatchObject({ body: { state: 'lifted' } });
  expect(await thaw(bob, newId('hold', Date.now()))).toMatchObject({ status: 404 });
});

test('a hold that the ledger refused in a busy moment is brought into it by the thaw', async () => {
  const { ledger } = stage.desk;
  const commit = ledger.commit.bind(ledger);
  let refusing = true;
  ledger.commit = (change) =>
    refusing
      ? Promise.reject(new KeyturnError('ledger_unavailable', 'busy', { facts: { busy: true } }))
      : commit(change);
  const frozen = await stage.freeze('credential', 'lean/sandbox');
  expect(frozen).toMatchObject({ status: 201, body: { durable: 'journal' } });
  refusing = false;
  expect(await thaw(undefined, String(frozen.body['hold']))).toMatchObject({ body: { state: 'asked' } });
  const placed = await stage.keyturn.entries('hold.placed');
  expect(placed.at(-1)).toMatchObject({ data: { hold: frozen.body['hold'] } });
  expect(await stage.keyturn.serving.instance.journal.records()).toEqual([]);
});
