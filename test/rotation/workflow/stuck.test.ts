import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

test('what no step can go on with stands in what is shown', async () => {
  stage = await RotationStage.set();
  await stage.start();
  await stage.untilStep('await');
  await rm(join(stage.home, 'policies', 'partners', 'lean.yaml'));
  await stage.keyturn.reload();
  const stuck = await stage.until(
    'stuck',
    ({ waitsFor }) => waitsFor?.includes('There is no profile of that partner') === true,
  );
  expect(stuck).toMatchObject({ state: 'running', step: 'await' });
});

test('a version that a person has made current again is not retired: the rotation halts and says so', async () => {
  stage = await RotationStage.set();
  const payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', {
    token: payments,
    json: { hpkePublicKey: Buffer.alloc(32, 9).toString('base64url'), seen: 0 },
  });
  await stage.start();
  await stage.import();
  await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  await stage.keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/versions/1/promote');
  const halted = await stage.untilState('halted');
  expect(halted).toMatchObject({ step: 'drain', waitsFor: expect.stringContaining('Version 1 is current again') });
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'previous' });
  expect(await stage.order('roll-back')).toMatchObject({ status: 200 });
  await stage.untilState('rolled-back');
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'retired' });
});
