import { afterEach, describe, expect, test } from 'vitest';
import { RotationStage, type Shown } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

/** Until the canary has halted it; the old version is what it was. */
async function haltedAtCanary(): Promise<string> {
  await stage.start();
  await stage.import();
  const halted = await stage.untilState('halted');
  expect(halted).toMatchObject({ step: 'canary', replaces: 1, version: 2, next: 'promote' });
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'staged' });
  return halted.waitsFor ?? '';
}

describe('a partner in trouble halts the rotation at its canary', () => {
  test('slow', async () => {
    stage = await RotationStage.set({ testTimeout: '1s' });
    await stage.partner.set({ delayMs: 2_500 });
    expect(await haltedAtCanary()).toMatch(/No answer in time.* Tried 5 times/);
  });

  test('answering 5xx; tried again when it is well, it goes on', async () => {
    stage = await RotationStage.set();
    await stage.partner.set({ failWith: { status: 503 } });
    expect(await haltedAtCanary()).toContain('HTTP 503, neither expected nor listed');
    expect(await stage.order('abort', '')).toMatchObject({ status: 400 });
    await stage.partner.set({ failWith: null });
    expect(await stage.order('retry')).toMatchObject({ status: 200, body: { state: 'running', step: 'canary' } });
    await stage.untilStep('revoke');
    expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
  });

  test('with a certificate of a CA that nobody knows', async () => {
    stage = await RotationStage.set();
    await stage.partner.set({ wrongChain: true });
    expect(await haltedAtCanary()).toContain("We do not trust the partner's own certificate");
  });

  test.each(['alert', 'status', 'close'] as const)(
    'refusing the new certificate by %s, and says how the old one fared',
    async (refuseBy) => {
      stage = await RotationStage.set({ partner: { switches: { refuseBy } } });
      await stage.partner.set({ failWith: { status: 503 } });
      await stage.start();
      const { serial } = await stage.import();
      await stage.untilState('halted');
      await stage.partner.revoke(serial);
      await stage.partner.set({ failWith: null });
      await stage.order('retry');
      const halted = await stage.until('refused', ({ state, found }) => {
        return state === 'halted' && (found['canary'] as { verdict: string }).verdict === 'refused';
      });
      expect(halted.waitsFor).toContain('The old one is accepted, so the fault is with this one.');
      expect(await stage.states()).toEqual({ 1: 'current', 2: 'staged' });
      expect(await stage.order('roll-back')).toMatchObject({ status: 409, body: { code: 'rotation_state' } });
      expect(await stage.order('abort')).toMatchObject({ status: 200, body: { state: 'undoing' } });
      const ended = await stage.untilState('aborted');
      expect(await stage.states()).toEqual({ 1: 'current', 2: 'retired' });
      expect(ended.tasks).toMatchObject([
        { kind: 'import', state: 'done' },
        { kind: 'decide', state: 'done' },
        { kind: 'decide', state: 'done' },
        { kind: 'revoke', state: 'open' },
      ]);
      expect(await stage.start()).toMatchObject({ status: 201 });
    },
  );
});

describe('the proof', () => {
  test('is not there while the partner goes on to accept the revoked certificate; by the deadline a person is told', async () => {
    stage = await RotationStage.set({ revocation: { propagation: '1s', deadline: '1s' } });
    await stage.partner.set({ keepAcceptingRevoked: true });
    const [old] = await stage.ledger.find('versions', { version: 1 });
    await stage.start();
    await stage.import();
    await stage.untilStep('revoke');
    await stage.partner.revoke(old?.serial ?? '');
    await stage.done('revoke');
    const alarmed = await stage.until('alarmed', ({ tasks }) => tasks.some(({ kind }) => kind === 'look'));
    expect(alarmed).toMatchObject({ state: 'running', step: 'prove' });
    expect(alarmed.waitsFor).toContain('the old certificate was accepted');
    expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
    await stage.partner.set({ keepAcceptingRevoked: false });
    const ended = await stage.untilState('completed');
    expect(ended.found['rounds']).toHaveLength(3);
    expect(ended.tasks.every(({ state }) => state === 'done')).toBe(true);
    expect(await stage.states()).toEqual({ 1: 'destroyed', 2: 'current' });
  });

  test('of a round that fails in the midst begins anew', async () => {
    stage = await RotationStage.set({ revocation: { propagation: '2s' } });
    const [old] = await stage.ledger.find('versions', { version: 1 });
    await stage.start();
    await stage.import();
    await stage.untilStep('revoke');
    await stage.partner.revoke(old?.serial ?? '');
    await stage.done('revoke');
    await stage.until('one round', ({ found }) => (found['rounds'] as unknown[] | undefined)?.length === 1);
    await stage.partner.set({ keepAcceptingRevoked: true });
    const broken = await stage.until('broken', ({ waitsFor }) => waitsFor?.includes('Not proven') === true);
    expect(broken.found['rounds']).toEqual([]);
    await stage.partner.set({ keepAcceptingRevoked: false });
    const { found } = await stage.untilState('completed');
    const rounds = found['rounds'] as { at: number }[];
    expect((rounds.at(-1)?.at ?? 0) - (rounds[0]?.at ?? 0)).toBeGreaterThanOrEqual(2_000);
  });

  test('can be waived by a person where the profile names no request', async () => {
    stage = await RotationStage.set({ test: null });
    await stage.start();
    await stage.import();
    await stage.done('revoke');
    const waiting = await stage.until('alarmed', ({ tasks }) => tasks.some(({ kind }) => kind === 'look'));
    expect(waiting.waitsFor).toContain('a person has to waive the proof');
    expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
    await stage.waive('proof');
    await stage.untilState('completed');
    expect(await stage.keyturn.entries('version.proven-dead')).toMatchObject([{ data: { waivedBy: 'person:alice' } }]);
  });
});

test('where one certificate may live, the new one is promoted at once, and the old one is dead by that', async () => {
  stage = await RotationStage.set({ issuance: { live: 1 }, partner: { switches: { onlyNewest: true } } });
  const plan = await stage.keyturn.call('GET', '/v1/credentials/lean%2Fsandbox/rotation/plan');
  expect(plan.body).toMatchObject({
    outage: expect.stringContaining('clients are refused'),
    warnings: [expect.stringContaining('point of no return'), expect.stringContaining('no lead time')],
  });
  const started = await stage.start();
  expect(started.body).toMatchObject({ path: ['await', 'promote', 'canary', 'drain', 'revoke', 'prove', 'destroy'] });
  await stage.import();
  const ended = await stage.untilState('completed');
  expect(ended.found).toMatchObject({ canary: { verdict: 'accepted' }, revocation: { by: 'superseded' } });
  expect(ended.tasks).toMatchObject([{ kind: 'import', state: 'done' }]);
  expect(await stage.states()).toEqual({ 1: 'destroyed', 2: 'current' });
});

test('a second click where one certificate may live kills the new one too: a person is told, and can go on', async () => {
  stage = await RotationStage.set({ issuance: { live: 1 }, partner: { switches: { onlyNewest: true } } });
  await stage.start();
  await stage.import();
  await stage.partner.portal.generate({ app: 'app', key: 'ec-p256' });
  // Whether the second click came before the canary or after it: what is refused then is current.
  const told = await stage.until('told', ({ step, tasks }) =>
    step === 'canary' || step === 'prove'
      ? tasks.some(({ kind, state }) => kind === 'look' && state === 'open')
      : false,
  );
  expect(told.tasks.filter(({ kind }) => kind === 'look')).toHaveLength(1);
  expect(told.state).toBe('running');
  await stage.waive('canary');
  await stage.waive('proof');
  // A partner that refuses everybody has not said that the old one is dead: it is asked.
  const open = ({ tasks }: Shown) => tasks.some(({ kind, state }) => kind === 'revoke' && state === 'open');
  const shown = await stage.until('asked, or over', (one) => open(one) || one.state === 'completed');
  if (open(shown)) await stage.done('revoke');
  await stage.untilState('completed');
  expect(await stage.start()).toMatchObject({ status: 201 });
});

describe('a version that is still in use', () => {
  test('keeps its rotation waiting, names who it is, and can be gone back to', async () => {
    stage = await RotationStage.set();
    const payments = await stage.keyturn.grant('service:payments', 'service');
    const lease = () =>
      stage.keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', {
        token: payments,
        json: { hpkePublicKey: Buffer.alloc(32, 9).toString('base64url'), seen: 0 },
      });
    expect(await lease()).toMatchObject({ status: 201, body: { version: 1 } });
    await stage.start();
    await stage.import();
    const waiting = await stage.until('waiting', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
    expect(waiting).toMatchObject({
      waitsFor: 'Leases are live on version 1.',
      stragglers: [{ principal: 'service:payments' }],
    });
    expect(await stage.order('abort')).toMatchObject({ status: 409, body: { code: 'rotation_state' } });
    expect(await stage.order('roll-back')).toMatchObject({ status: 200, body: { state: 'undoing', step: 'restore' } });
    await stage.untilState('rolled-back');
    expect(await stage.states()).toEqual({ 1: 'current', 2: 'retired' });
    expect(await lease()).toMatchObject({ status: 201, body: { version: 1 } });
  });

  test('by a revealed copy never drains, until a person waives its holder by name', async () => {
    stage = await RotationStage.set();
    const { ledger } = stage;
    await ledger.commit({
      entry: { kind: 'key.revealed', actor: 'person:bob', credential: 'lean/sandbox', version: 1, data: {} },
    });
    await stage.start();
    await stage.import();
    const waiting = await stage.until('waiting', ({ waitsFor }) => waitsFor?.includes('revealed') === true);
    expect(waiting.waitsFor).toContain('revealed to person:bob');
    expect(waiting.stragglers).toEqual([{ principal: 'person:bob', revealed: true }]);
    expect(await stage.waive('holder')).toMatchObject({ status: 400 });
    expect(await stage.waive('holder', 'person:eve')).toMatchObject({ status: 200 });
    await stage.until('waiting', ({ waitsFor }) => waitsFor?.includes('revealed') === true);
    await stage.waive('holder', 'person:bob');
    await stage.untilStep('revoke');
  });
});

test('one rotation at a time: the second is told which is under way', async () => {
  stage = await RotationStage.set();
  const { body } = await stage.start();
  expect(await stage.start()).toMatchObject({
    status: 409,
    body: { code: 'conflict', detail: expect.stringContaining(String(body['id'])) },
  });
});
