import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import { edit } from '../../e2e/instance.ts';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

test('a key that turns out to have leaked while its replacement is waited for is revoked as compromised as well', async () => {
  stage = await RotationStage.set();
  const { body } = await stage.start('yearly');
  await stage.until('waiting', ({ step, waitsFor }) => step === 'await' && waitsFor !== null);
  expect(await stage.start('yearly')).toMatchObject({ status: 409 });
  const marked = await stage.start('key seen in a paste', { compromised: true });
  expect(marked).toMatchObject({
    status: 201,
    body: { id: body['id'], reason: 'compromised', step: 'await', found: { said: 'key seen in a paste' } },
  });
  expect(await stage.keyturn.entries('rotation.compromised')).toMatchObject([
    { actor: 'person:alice', credential: 'lean/sandbox', data: { said: 'key seen in a paste' } },
  ]);
  await stage.import();
  const asked = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
  expect(asked.tasks.find(({ kind }) => kind === 'revoke')?.text).toContain('keyCompromise');
  // By then another version is current: of that one nobody has said anything.
  expect(await stage.start('seen too', { compromised: true })).toMatchObject({ status: 409 });
}, 60_000);

test('a key that turns out to have leaked while it drains is pressed on with, when it is told by its number', async () => {
  stage = await RotationStage.set();
  await borrowed();
  await revealed();
  await stage.start('yearly');
  await stage.import();
  await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  const unsaid = await stage.start('key seen in a paste', { compromised: true });
  expect(unsaid).toMatchObject({ status: 409, body: { fix: expect.stringContaining('--compromised --version 1') } });
  const said = await stage.start('key seen in a paste', { compromised: true, version: 1 });
  expect(said).toMatchObject({ status: 201, body: { reason: 'compromised', step: 'drain' } });
  expect((await stage.show()).waitsFor ?? '').not.toContain('revealed');
  expect((await stage.keyturn.call('POST', '/v1/holds', { json: HOLD })).status).toBe(201);
  const asked = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
  expect(asked.tasks.find(({ kind }) => kind === 'revoke')?.text).toContain('keyCompromise');
  // Whoever revokes it was told by then.
  const late = await stage.start('seen too', { compromised: true, version: 1 });
  expect(late).toMatchObject({ status: 409, body: { detail: expect.stringContaining('asked to be revoked already') } });
}, 60_000);

test('a key that turns out to have leaked while its replacement is halted is gone on with', async () => {
  stage = await RotationStage.set();
  await stage.partner.set({ failWith: { status: 403 } });
  await stage.start('yearly');
  await stage.import();
  await stage.untilState('halted');
  await stage.partner.set({ failWith: null });
  const said = await stage.start('key seen in a paste', { compromised: true });
  expect(said).toMatchObject({ status: 201, body: { reason: 'compromised', state: 'running' } });
  const asked = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
  expect(asked.tasks.find(({ kind }) => kind === 'revoke')?.text).toContain('keyCompromise');
}, 60_000);

test('a version is told of a key that has leaked alone, and one that nothing replaces begins no rotation', async () => {
  stage = await RotationStage.set();
  expect(await stage.start('yearly', { version: 1 })).toMatchObject({ status: 400 });
  expect(await stage.start('key seen in a paste', { compromised: true, version: 7 })).toMatchObject({ status: 409 });
  expect(await stage.keyturn.entries('rotation.started')).toEqual([]);
  expect(await stage.start('key seen in a paste', { compromised: true, version: 1 })).toMatchObject({ status: 201 });
}, 60_000);

test('a leaked key that is not frozen, or no more, is drained of its leases, and of no copies', async () => {
  stage = await RotationStage.set();
  const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  const { body: hold } = await stage.keyturn.call('POST', '/v1/holds', { json: HOLD });
  for (const by of [{}, { token: bob }]) await stage.keyturn.call('POST', `/v1/holds/${String(hold['hold'])}/thaw`, by);
  const lease = await borrowed();
  await revealed();
  await stage.start('key seen in a paste', { compromised: true });
  await stage.import();
  const waiting = await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  expect(waiting.waitsFor).toContain('Leases are live');
  await lease.giveBack();
  await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
}, 60_000);

test('on the way back from a rotation for a leaked key, copies of the new one are waited with as ever', async () => {
  stage = await RotationStage.set();
  await borrowed();
  await stage.start('key seen in a paste', { compromised: true });
  await stage.import();
  await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  await revealed(2);
  expect(await stage.order('roll-back')).toMatchObject({ status: 200 });
  const back = await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  expect(back.waitsFor).toContain('Version 2 was revealed to person:dave');
}, 60_000);

/** By a service, for an hour. */
async function borrowed() {
  const token = await stage.keyturn.grant('service:payments', 'service');
  const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0, ttlSeconds: 3_600 };
  const { body } = await stage.keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token, json });
  return { giveBack: () => stage.keyturn.call('DELETE', `/v1/leases/${String(body['lease'])}`, { token }) };
}

/** To a person, by a role of their own. */
async function revealed(version = 1): Promise<void> {
  await edit(join(stage.home, 'policies', 'access', 'roles.yaml'), (file) => ({
    roles: [...(file['roles'] as unknown[]), { name: 'revealer', title: 'R', permissions: ['credential:reveal'] }],
  }));
  const token = await stage.keyturn.grant('person:dave', 'revealer');
  const json = { hpkePublicKey: AnswerOpener.generate().publicKey, reason: 'test' };
  const path = `/v1/credentials/lean%2Fsandbox/versions/${version}/reveal`;
  expect((await stage.keyturn.call('POST', path, { token, json })).status).toBe(200);
}

const HOLD = { target: 'version', subject: 'lean/sandbox', version: 1, reason: 'key seen in a paste' };

test('a leaked key: frozen by one person, replaced, revoked as compromised, proven dead, and kept until two have thawed it', async () => {
  stage = await RotationStage.set();
  // Who has it still is waited for by nobody: neither a lease that lasts an hour, nor a copy that a person was shown.
  await borrowed();
  await revealed();
  const [old] = await stage.ledger.find('versions', { version: 1 });
  const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  const { body: frozen } = await stage.keyturn.call('POST', '/v1/holds', { json: HOLD });
  const begun = await stage.start('key seen in a paste', { compromised: true });
  expect(begun).toMatchObject({ status: 201, body: { reason: 'compromised', found: { said: 'key seen in a paste' } } });
  expect(await stage.keyturn.entries('rotation.started')).toMatchObject([
    { actor: 'person:alice', data: { reason: 'compromised', said: 'key seen in a paste' } },
  ]);
  await stage.import();
  const asked = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
  const text = asked.tasks.find(({ kind }) => kind === 'revoke')?.text ?? '';
  expect(text).toContain('keyCompromise');
  expect(text).toContain('Its key may be in the hands of others.');
  // What a person says is no proof: the partner goes on accepting it.
  expect(await stage.done('revoke')).toMatchObject({ status: 200 });
  await stage.until('a round', ({ found }) => found['lastRound'] !== undefined);
  expect((await stage.show()).found).not.toHaveProperty('provenAt');
  expect(await stage.keyturn.entries('version.revoked')).toMatchObject([{ data: { reason: 'keyCompromise' } }]);

  await stage.partner.revoke(old?.serial ?? '');
  const kept = await stage.until('to be destroyed', ({ step, waitsFor }) => step === 'destroy' && waitsFor !== null);
  expect(kept.found).toMatchObject({ provenAt: expect.any(Number), control: { verdict: 'accepted' } });
  expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
  const thaw = `/v1/holds/${String(frozen['hold'])}/thaw`;
  expect((await stage.keyturn.call('POST', thaw)).body).toMatchObject({ state: 'asked' });
  expect((await stage.keyturn.call('POST', thaw, { token: bob })).body).toMatchObject({ state: 'lifted' });
  await stage.untilState('completed');
  expect(await stage.states()).toEqual({ 1: 'destroyed', 2: 'current' });
  expect((await stage.kinds()).filter((kind) => kind.startsWith('hold.'))).toEqual([
    'hold.placed',
    'hold.thaw-asked',
    'hold.lifted',
  ]);
}, 60_000);
