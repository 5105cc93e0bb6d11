import { afterEach, expect, test } from 'vitest';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

test('a service that may rotate says nothing that a person has to answer for, and each try is on the log', async () => {
  stage = await RotationStage.set();
  const { keyturn } = stage;
  const token = await keyturn.grant('service:robot', 'operator');
  const rotation = '/v1/credentials/lean%2Fsandbox/rotation';
  expect(await keyturn.call('POST', rotation, { token, json: { reason: 'test' } })).toMatchObject({ status: 201 });
  await stage.import();
  const shown = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
  const task = shown.tasks.find(({ kind }) => kind === 'revoke');
  const refusals = [
    await keyturn.call('POST', `/v1/tasks/${task?.id}/done`, { token, json: { note: 'test' } }),
    await keyturn.call('POST', `${rotation}/waivers`, { token, json: { what: 'proof', reason: 'test' } }),
  ];
  const refusal = { status: 403, body: { code: 'permission_denied' } };
  expect(refusals).toMatchObject([refusal, refusal]);
  const denials = await keyturn.entries('access.denied');
  const denial = { actor: 'service:robot', data: { permission: 'credential:rotate', rule: 'person-only' } };
  expect(denials).toMatchObject([denial, denial]);
  expect(await stage.show()).toMatchObject({ step: 'revoke' });
});
