import { afterEach, beforeEach, expect, test } from 'vitest';
import { Stage } from '../credential/stage.ts';
import { daysFromNow } from '../fakes/ca.ts';

const DAY = 86_400_000;

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
  await stage.import();
});
afterEach(() => stage.strike());

/** Samples of one metric by their labels. */
async function read(name: string): Promise<Record<string, number>> {
  const { text } = await stage.keyturn.call('GET', '/metrics', { token: null });
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))];
  return Object.fromEntries(samples.map(([, labels = '', value]) => [labels.replaceAll('"', ''), Number(value)]));
}

function order(verb = ''): Promise<{ status: number }> {
  return stage.post(`/v1/credentials/lean%2Fsandbox/rotation${verb}`, { json: { reason: 'test' } });
}

/** Goes on with what was ordered; the first round may have begun before that. */
async function goOn(): Promise<void> {
  const { rotator } = stage.keyturn.serving.instance;
  await rotator.tick();
  await rotator.tick();
}

test('rotations under way, since when the oldest stands, and how they end', async () => {
  await read('keyturn_rotations_ended_total');
  expect(await order()).toMatchObject({ status: 201 });
  await goOn();
  stage.clock.forward(3_600_000);
  expect(await read('keyturn_rotations_open')).toEqual({ 'step=await,state=running': 1 });
  const age = await read('keyturn_rotation_step_age_seconds');
  expect(age['step=await,state=running']).toBeGreaterThanOrEqual(3_600);
  expect(age['step=await,state=running']).toBeLessThan(3_660);
  expect(await order('/abort')).toMatchObject({ status: 200 });
  await goOn();
  expect(await read('keyturn_rotations_ended_total')).toEqual({
    'state=completed': 0,
    'state=aborted': 1,
    'state=rolled-back': 0,
  });
  expect(await read('keyturn_rotations_ended_total')).toMatchObject({ 'state=aborted': 1 });
  expect(await read('keyturn_rotations_open')).toEqual({});
  expect(await read('keyturn_rotation_step_age_seconds')).toEqual({});
});

test('tasks that are open, those that are overdue, and proofs', async () => {
  await order();
  expect(await read('keyturn_tasks_open')).toMatchObject({ 'kind=import': 1, 'kind=revoke': 0 });
  expect(await read('keyturn_tasks_overdue')).toMatchObject({ 'kind=import': 0 });
  stage.clock.forward(DAY + 1_000);
  expect(await read('keyturn_tasks_overdue')).toMatchObject({ 'kind=import': 1 });
  expect(await read('keyturn_rotation_proofs_overdue')).toEqual({ '': 0 });
  const [row] = await stage.desk.ledger.find('rotations', { ended_at: null });
  const facts = JSON.stringify({ ...JSON.parse(row?.facts ?? ''), overdueSince: stage.clock.now() });
  await stage.desk.ledger.commit({
    writes: [{ update: 'rotations', where: { id: row?.id ?? '' }, set: { facts }, rows: 1 }],
    entry: { kind: 'rotation.proof-round', actor: 'system', data: {} },
  });
  expect(await read('keyturn_rotation_proofs_overdue')).toEqual({ '': 1 });
});

test('how much of its lifetime is left of what is current or staged; what another one follows is mute', async () => {
  const half = await stage.ca.client({ notBefore: daysFromNow(-10), notAfter: daysFromNow(10) });
  await stage.import('lean/production', half);
  const staged = await stage.ca.client({ notBefore: daysFromNow(-3), notAfter: daysFromNow(1) });
  await stage.import('lean/production', staged);
  const left = await read('keyturn_credential_lifetime_left_ratio');
  expect(left['credential=lean/production,version=1,state=current']).toBeCloseTo(0.5, 2);
  expect(left['credential=lean/production,version=2,state=staged']).toBeCloseTo(0.25, 2);
  expect(left['credential=lean/sandbox,version=1,state=current']).toBeCloseTo(365 / 366, 2);
  await stage.promote(2, 'lean/production');
  await stage.keyturn.serving.instance.due.starter.tick();
  const after = Object.keys(await read('keyturn_credential_lifetime_left_ratio'));
  expect(after.filter((labels) => labels.includes('production'))).toEqual([
    'credential=lean/production,version=2,state=current',
  ]);
});

test('what falls due, what is late and what can’t begin', async () => {
  expect(await read('keyturn_rotations_forecast')).toEqual({
    'within=1d': 0,
    'within=7d': 0,
    'within=30d': 0,
    'within=90d': 0,
  });
  expect(await read('keyturn_rotations_late')).toEqual({ '': 0 });
  expect(await read('keyturn_rotation_starts_failing')).toEqual({ '': 0 });
  stage.clock.forward(220 * DAY);
  await stage.keyturn.serving.instance.due.starter.tick();
  expect(await read('keyturn_rotations_forecast')).toMatchObject({ 'within=1d': 0, 'within=30d': 1 });
});
