import { afterEach, expect, test } from 'vitest';
import type { Outage } from '../../../src/rotation/workflow/facts.ts';
import { RotationStage, type RotationStageOptions } from '../stage.ts';

let stage: RotationStage;
let payments: string;
afterEach(() => stage.strike());

const WISH = { hpkePublicKey: Buffer.alloc(32, 9).toString('base64url'), seen: 0 };
const ALONE: RotationStageOptions = { issuance: { live: 1 }, partner: { switches: { onlyNewest: true } } };

async function set(options: RotationStageOptions): Promise<void> {
  stage = await RotationStage.set(options);
  payments = await stage.keyturn.grant('service:payments', 'service');
}

async function lease(): Promise<string> {
  const path = '/v1/credentials/lean%2Fsandbox/leases';
  return String((await stage.keyturn.call('POST', path, { token: payments, json: WISH })).body['lease']);
}

async function renew(id: string, inUse: readonly number[], uses: readonly object[] = []): Promise<string> {
  const json = { ...WISH, uses, inUse };
  const { status, body } = await stage.keyturn.call('POST', `/v1/leases/${id}/renew`, { token: payments, json });
  expect(status).toBe(200);
  return String(body['lease']);
}

/** What a client reports of version 1. */
function refused(failedAgo: number) {
  return [{ version: 1, host: 'partner.example:443', requests: 9, failures: 4, failedAgo }];
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function completed(): Promise<Outage | undefined> {
  const { found } = await stage.untilState('completed');
  return found['outage'] as Outage | undefined;
}

async function counted(name: string): Promise<number> {
  const { text } = await stage.keyturn.call('GET', '/metrics', { token: null });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

test('the outage runs from the first refusal that a client reports until the last one has moved, and is counted', async () => {
  await set(ALONE);
  await counted('keyturn_rotation_outages_total');
  const leases = [await lease(), await lease()];
  await stage.start();
  const begun = Date.now();
  await stage.import();
  await stage.until('draining', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  const first = await renew(leases[0] ?? '', [1], refused(0));
  const reported = Date.now();
  await sleep(1_200);
  const last = await renew(leases[1] ?? '', [1], refused(1));
  const moved = Date.now();
  await renew(first, [2]);
  await sleep(300);
  await renew(last, [2]);
  const outage = await completed();
  expect(outage).toMatchObject({ clients: 2 });
  expect(outage?.from).toBeGreaterThanOrEqual(begun - 1_000);
  expect(outage?.from).toBeLessThanOrEqual(reported);
  expect(outage?.to).toBeLessThanOrEqual(moved);
  expect(outage?.to).toBeGreaterThan(reported + 1_000);
  expect(outage?.ms).toBe((outage?.to ?? 0) - (outage?.from ?? 0));
  expect(await counted('keyturn_rotation_outages_total')).toBe(1);
  expect(await counted('keyturn_rotation_outage_seconds_total')).toBeCloseTo((outage?.ms ?? 0) / 1000, 5);
  const [, retired] = await stage.keyturn.entries('version.retired');
  expect(retired ?? (await stage.keyturn.entries('version.retired'))[0]).toMatchObject({ data: { outage } });
});

test('without a client it is what the probe has seen: of no length', async () => {
  await set(ALONE);
  await stage.start();
  await stage.import();
  expect(await completed()).toMatchObject({ ms: 0, by: 'probe', clients: 0 });
});

test('what failed before the new certificate was there has other reasons', async () => {
  await set({ ...ALONE, test: null });
  const old = await lease();
  await stage.start();
  const renewed = await renew(old, [1], refused(30));
  await stage.import();
  await stage.until('draining', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  await renew(await renew(renewed, [1], []), [2]);
  await stage.done('revoke');
  await stage.waive('proof');
  expect(await completed()).toBeUndefined();
});

test('where two may live nothing is measured', async () => {
  await set({ test: null });
  const old = await lease();
  await stage.start();
  await stage.import();
  await stage.until('draining', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
  await renew(await renew(old, [1], refused(0)), [2]);
  await stage.done('revoke');
  await stage.waive('proof');
  expect(await completed()).toBeUndefined();
});
