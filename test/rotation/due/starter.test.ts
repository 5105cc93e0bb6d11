import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DueBook } from '../../../src/rotation/due/book.ts';
import { type DuePlan, DueStarter } from '../../../src/rotation/due/starter.ts';
import { allowReveal, Stage } from '../../credential/stage.ts';
import { daysFromNow } from '../../fakes/ca.ts';

const DAY = 86_400_000;
const PLAN: DuePlan = {
  automatic: true,
  coolDown: 86_400,
  rules: { maxAge: null, lifetimeShare: 2 / 3, margin: 7 * 86_400 },
  freezes: [],
};

let stage: Stage;
let told: string[];
beforeEach(async () => {
  stage = await Stage.set();
  told = [];
  await stage.import();
});
afterEach(() => stage.strike());

/** As another server of the ledger has it. */
function starter(plan: Partial<DuePlan> = {}): DueStarter {
  const { desk, issuers } = stage.keyturn.serving.instance;
  const whole = { ...PLAN, ...plan };
  const onFailure = (credential: string, error: unknown) => told.push(`${credential} ${(error as Error).message}`);
  return new DueStarter({ desk, issuers, book: new DueBook(desk, whole), plan: whole, onFailure });
}

/** A credential that is due already, at the time that tokens are good for. */
async function aged(credential = 'lean/production'): Promise<void> {
  const issued = await stage.ca.client({ notBefore: daysFromNow(-250), notAfter: daysFromNow(115) });
  expect(await stage.import(credential, issued)).toMatchObject({ status: 201 });
}

function open() {
  return stage.desk.ledger.find('rotations', { ended_at: null });
}

function order(verb: string): Promise<{ status: number }> {
  return stage.post(`/v1/credentials/lean%2Fproduction/rotation${verb}`, { json: { reason: 'test' } });
}

test('a rotation begins when it is due, not before, and once', async () => {
  const due = starter();
  expect(await due.tick()).toBe(0);
  // Of 366 days, a day of which has passed: due after 244, and three more of spread at most.
  stage.clock.forward(242 * DAY);
  expect(await due.tick()).toBe(0);
  stage.clock.forward(5 * DAY);
  expect(await due.tick()).toBe(1);
  expect(await due.tick()).toBe(0);
  expect(await open()).toMatchObject([{ credential: 'lean/sandbox', asked_by: 'system', reason: 'lifetime-share' }]);
  const [entry] = await stage.desk.ledger.entries({ kind: 'rotation.started' });
  expect(JSON.parse(entry?.json ?? '')).toMatchObject({ actor: 'system', data: { due: { reason: 'lifetime-share' } } });
});

test('of two servers that look at once one begins it', async () => {
  stage.clock.forward(250 * DAY);
  const counts = await Promise.all([starter().tick(), starter().tick(), starter().tick()]);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
  expect(await open()).toHaveLength(1);
});

test('a key that a person has seen is replaced at once, and its reveal is heard of after the first look', async () => {
  const revealer = await allowReveal(stage, 'person:rita');
  const due = starter();
  expect(await due.tick()).toBe(0);
  expect((await stage.reveal(revealer)).status).toBe(200);
  expect(await due.tick()).toBe(1);
  expect(await open()).toMatchObject([{ reason: 'seen-by-person' }]);
});

test('a reveal from before the first look counts as well', async () => {
  const revealer = await allowReveal(stage, 'person:rita');
  await stage.reveal(revealer);
  expect(await starter().tick()).toBe(1);
});

test('a credential that comes after the first look is looked after', async () => {
  const due = starter();
  await due.tick();
  const short = await stage.ca.client({ notBefore: daysFromNow(-20), notAfter: daysFromNow(2) });
  await stage.import('lean/production', short);
  expect(await due.tick()).toBe(1);
  expect(await open()).toMatchObject([{ credential: 'lean/production' }]);
});

test('one that is imported and promoted instead is not rotated any more', async () => {
  await aged();
  const due = starter({ automatic: false });
  await due.tick();
  const fresh = await stage.ca.client({ notAfter: daysFromNow(900) });
  await stage.import('lean/production', fresh);
  expect((await due.summary()).within[1]).toBe(1);
  expect((await stage.promote(2, 'lean/production')).status).toBe(200);
  await due.tick();
  expect((await due.summary()).within[90]).toBe(0);
  expect(await starter().tick()).toBe(0);
});

test('nothing begins by itself where that is off, in a freeze of changes, or of what is frozen', async () => {
  await aged();
  const now = stage.clock.now();
  expect(await starter({ automatic: false }).tick()).toBe(0);
  expect(await starter({ freezes: [{ from: now - DAY, to: now + DAY, why: 'year end' }] }).tick()).toBe(0);
  await stage.freeze('version', 'lean/production', { version: 1 });
  expect(await starter().tick()).toBe(0);
  expect(await open()).toEqual([]);
});

test('after one that was aborted the credential rests, on every server', async () => {
  await aged();
  expect(await starter().tick()).toBe(1);
  expect(await order('/abort')).toMatchObject({ status: 200 });
  await stage.keyturn.serving.instance.rotator.tick();
  expect(await open()).toEqual([]);
  const due = starter();
  expect(await due.tick()).toBe(0);
  stage.clock.forward(DAY - 3_600_000);
  expect(await due.tick()).toBe(0);
  stage.clock.forward(2 * 3_600_000);
  expect(await due.tick()).toBe(1);
});

test('what can’t begin is told once, counted, and tried again later without a word on the log of record', async () => {
  await rm(join(stage.keyturn.home, 'policies', 'partners', 'lean.yaml'));
  expect(await stage.post('/v1/policy/reload')).toMatchObject({ status: 200 });
  stage.clock.forward(250 * DAY);
  const due = starter();
  const { size } = await stage.desk.ledger.head();
  for (let minute = 0; minute < 30; minute += 1) {
    expect(await due.tick()).toBe(0);
    stage.clock.forward(60_000);
  }
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/lean\/sandbox There is no profile/);
  expect(await due.summary()).toMatchObject({ failing: 1, within: { 1: 1 } });
  expect((await stage.desk.ledger.head()).size).toBe(size);
});

test('a summary counts what is to come, and what is late', async () => {
  const due = starter();
  await due.tick();
  expect(await due.summary()).toMatchObject({ failing: 0, late: 0, within: { 1: 0, 7: 0, 30: 0, 90: 0 } });
  stage.clock.forward(220 * DAY);
  await due.tick();
  expect((await due.summary()).within).toEqual({ 1: 0, 7: 0, 30: 1, 90: 1 });
  const off = starter({ automatic: false });
  stage.clock.forward(140 * DAY);
  await off.tick();
  expect(await off.summary()).toMatchObject({ failing: 0, late: 1, within: { 1: 1, 7: 1, 30: 1, 90: 1 } });
});
