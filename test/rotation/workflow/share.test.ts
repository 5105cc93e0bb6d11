import { hash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { gateReads, HandClock } from '../../credential/stage.ts';
import { RotationStage } from '../stage.ts';

const HALF = { share: 0.5, for: '10m' };
const PROCESSES = 20;

let stage: RotationStage;
let clock: HandClock;
let payments: string;
afterEach(() => stage.strike());

async function set(swap: object = HALF): Promise<void> {
  clock = new HandClock();
  stage = await RotationStage.set({ swap: { ...swap }, clock });
  payments = await stage.keyturn.grant('service:payments', 'service');
}

/** A client process, and the lease that it has. */
class Process {
  lease = '';
  version = 0;
  seconds = 0;
  /** Of its reports, for which it takes none that was lost. */
  report = 0;
  readonly #wish: object;

  constructor(number: number) {
    this.#wish = { hpkePublicKey: Buffer.alloc(32, number + 9).toString('base64url'), seen: 0 };
  }

  async grant(): Promise<this> {
    return this.#take('/v1/credentials/lean%2Fsandbox/leases', this.#wish, 201);
  }

  /** Says how its version fared, and that it uses no other one. */
  async renew(requests = 0, failures = 0, version = this.version): Promise<this> {
    const failed = failures === 0 ? {} : { failures, failedAgo: 0 };
    const uses = requests === 0 ? [] : [{ version, host: 'partner:443', requests, ...failed }];
    this.report += 1;
    const { report } = this;
    return this.#take(`/v1/leases/${this.lease}/renew`, { ...this.#wish, uses, report, inUse: [this.version] }, 200);
  }

  async #take(path: string, json: object, success: number): Promise<this> {
    const { status, body, text } = await stage.keyturn.call('POST', path, { token: payments, json });
    if (status !== success) throw new Error(text);
    this.lease = String(body['lease']);
    this.version = Number(body['version']);
    this.seconds = Number(body['secondsLeft']);
    return this;
  }
}

async function processes(): Promise<Process[]> {
  const all = Array.from({ length: PROCESSES }, (_, number) => new Process(number));
  for (const one of all) await one.grant();
  expect(all.map(({ version }) => version)).toEqual(all.map(() => 1));
  return all;
}

async function shared(): Promise<void> {
  await stage.start();
  await stage.import();
  await stage.until('shared', ({ step, waitsFor }) => step === 'share' && waitsFor !== null);
}

/** Those that are first, and the others; all have renewed. */
async function sides(all: readonly Process[]): Promise<{ first: Process[]; others: Process[] }> {
  for (const one of all) await one.renew();
  const first = all.filter(({ version }) => version === 2);
  expect(first.length).toBeGreaterThan(1);
  expect(first.length).toBeLessThan(all.length);
  return { first, others: all.filter(({ version }) => version === 1) };
}

async function renewAll(all: readonly Process[], requests: number, failures: number): Promise<void> {
  for (const one of all) await one.renew(requests, failures);
}

async function looked(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 60));
  await stage.keyturn.serving.instance.rotator.tick();
}

test('a share of the processes has it first and keeps it; where it fares as well, all get it', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first, others } = await sides(all);
  for (const one of all) {
    const { version } = one;
    expect((await one.renew(10)).version).toBe(version);
    expect(one.seconds).toBeLessThanOrEqual(150);
    expect((await one.grant()).version).toBe(version);
  }
  await renewAll(first, 90, 1);
  await renewAll(others, 190, 2);
  await looked();
  const { id, found } = await stage.show();
  expect(found['shareSeen']).toMatchObject({
    fresh: { clients: first.length, requests: 100 * first.length, failures: first.length },
    old: { clients: others.length, requests: 200 * others.length, failures: 2 * others.length },
  });
  const entries = [
    ...(await stage.keyturn.entries('lease.granted')),
    ...(await stage.keyturn.entries('lease.renewed')),
  ];
  const lent = entries.filter(({ version }) => version === 2);
  expect(lent.length).toBeGreaterThan(0);
  expect(lent.every(({ data }) => (data as { share?: string }).share === id)).toBe(true);
  clock.forward(600_000);
  await stage.untilStep('revoke');
  expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
  expect((await new Process(0).grant()).seconds).toBeGreaterThan(150);
});

test('where it fails more often it is taken back by itself: its clients go back, then it is retired', async () => {
  await set();
  await stage.keyturn.call('GET', '/metrics', { token: null });
  const all = await processes();
  await shared();
  const { first, others } = await sides(all);
  await renewAll(others, 100, 1);
  for (const one of first) await one.renew(3, 3);
  const back = await stage.until('back', ({ state }) => state === 'undoing');
  expect(back).toMatchObject({ step: 'drain', path: ['drain', 'discard'], found: { undone: { by: 'system' } } });
  await looked();
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'staged' });
  expect((await stage.show()).stragglers).toHaveLength(first.length);
  await renewAll(first, 3, 3);
  expect(first.map(({ version }) => version)).toEqual(first.map(() => 1));
  await renewAll(first, 0, 0);
  const ended = await stage.untilState('rolled-back');
  expect(ended.found['undone']).toMatchObject({
    why: expect.stringMatching(/Version 2 was taken back: \d+ of \d+ requests/),
  });
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'retired' });
  expect(await stage.keyturn.entries('rotation.rolling-back')).toMatchObject([
    { actor: 'system', version: 2, data: { fresh: { failures: expect.any(Number) } } },
  ]);
  const { text } = await stage.keyturn.call('GET', '/metrics', { token: null });
  expect(text).toContain('keyturn_rotation_share_rollbacks_total 1');
});

test('a partner that fails everybody alike takes nothing back', async () => {
  await set();
  const all = await processes();
  await shared();
  await sides(all);
  await renewAll(all, 10, 5);
  await looked();
  expect(await stage.show()).toMatchObject({ state: 'running', step: 'share' });
});

test('one client alone, whatever it reports, takes nothing back from the others', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first, others } = await sides(all);
  await first[0]?.renew(1_000_000, 1_000_000);
  await renewAll(first.slice(1), 10, 0);
  await renewAll(others, 10, 0);
  await looked();
  const { state, step, found } = await stage.show();
  expect({ state, step }).toEqual({ state: 'running', step: 'share' });
  expect(found['shareSeen']).toMatchObject({ fresh: { failing: 1, failingOf: ['service:payments'] } });
});

test('a report that comes again after a lost answer counts once', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first } = await sides(all);
  for (const one of first.slice(0, 2)) {
    await one.renew(1, 1);
    one.report -= 1;
    await one.renew(1, 1);
  }
  await looked();
  const { state, found } = await stage.show();
  expect(state).toBe('running');
  expect(found['shareSeen']).toMatchObject({ fresh: { requests: 2, failures: 2 } });
});

test('where nobody reports a request with it, it is watched as long again; then it goes on, and says so', async () => {
  await set();
  const all = await processes();
  await shared();
  await sides(all);
  clock.forward(601_000);
  await looked();
  const { state, step, waitsFor } = await stage.show();
  expect({ state, step }).toEqual({ state: 'running', step: 'share' });
  expect(waitsFor).toMatch(/^None of the 50 % .* then it goes on all the same\.$/);
  clock.forward(601_000);
  await stage.until('passed', (shown) => shown.step !== 'share');
  expect(await stage.keyturn.entries('rotation.share-passed')).toMatchObject([{ data: { unheard: true } }]);
  expect(await stage.states()).toMatchObject({ 2: 'current' });
});

test('what is said of the new version by whoever does not have it counts for nothing', async () => {
  await set();
  const all = await processes();
  await shared();
  const { others } = await sides(all);
  for (const one of others) await one.renew(100, 100, 2);
  await looked();
  expect(await stage.show()).toMatchObject({ state: 'running', found: { shareSeen: { fresh: { failures: 0 } } } });
});

test('another server goes on with what was reported before', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first } = await sides(all);
  await first[0]?.renew(2, 2);
  await looked();
  expect(await stage.show()).toMatchObject({ step: 'share' });
  await stage.keyturn.restart();
  await stage.keyturn.serving.instance.rotator.tick();
  expect(await stage.show()).toMatchObject({ step: 'share' });
  await first[1]?.renew(1, 1);
  await stage.until('back', ({ state }) => state === 'undoing');
});

test('frozen, it is lent to nobody: its clients go back, and the rotation waits for a person', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first } = await sides(all);
  const json = { target: 'version', subject: 'lean/sandbox', version: 2, reason: 'test' };
  expect((await stage.keyturn.call('POST', '/v1/holds', { json })).status).toBe(201);
  await renewAll(first, 0, 0);
  expect(first.map(({ version }) => version)).toEqual(first.map(() => 1));
  expect((await stage.untilState('halted')).waitsFor).toContain('Version 2 is frozen');
});

test('a canary that was waived leaves nobody to be first', async () => {
  await set();
  await stage.partner.set({ failWith: { status: 503 } });
  await stage.start();
  await stage.import();
  await stage.until('tried', ({ found }) => found['canary'] !== undefined);
  await stage.waive('canary');
  await stage.until('current', ({ step }) => !['await', 'canary', 'share', 'promote'].includes(step));
  expect(await stage.kinds()).not.toContain('version.shared');
  expect(await stage.states()).toMatchObject({ 2: 'current' });
});

test('given up by a person, it is drained before it is retired', async () => {
  await set();
  const all = await processes();
  await shared();
  const { first } = await sides(all);
  expect(await stage.order('abort')).toMatchObject({ status: 200, body: { state: 'undoing', step: 'drain' } });
  await looked();
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'staged' });
  await renewAll(first, 0, 0);
  await renewAll(first, 0, 0);
  await stage.untilState('aborted');
});

test('a lease that was decided before it was taken back is of the current version', async () => {
  await set({ share: 0.9, for: '10m' });
  await shared();
  const { id } = await stage.show();
  const one = Array.from({ length: PROCESSES }, (_, number) => number).find((number) => isFirst(id, number, 0.9));
  const gate = gateReads(stage.keyturn.serving.instance.store.driver);
  const asked = new Process(one ?? 0).grant();
  await gate.reached;
  await stage.order('abort');
  gate.open();
  expect((await asked).version).toBe(1);
  const entries = await stage.keyturn.entries('lease.granted');
  expect(entries.filter(({ version }) => version === 2)).toEqual([]);
});

/** As the page on rotations says it. */
function isFirst(rotation: string, number: number, share: number): boolean {
  const process = Buffer.alloc(32, number + 9).toString('hex');
  const digest = hash('sha256', `${rotation}\nservice:payments\n${process}`, 'buffer');
  return digest.readUInt32BE(0) / 2 ** 32 < share;
}
