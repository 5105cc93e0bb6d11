import { afterEach, expect, test } from 'vitest';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
let payments: string;
afterEach(() => stage.strike());

const WISH = { hpkePublicKey: Buffer.alloc(32, 9).toString('base64url'), seen: 0 };

async function set(): Promise<void> {
  stage = await RotationStage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
}

async function lease(more: object = {}): Promise<string> {
  const path = '/v1/credentials/lean%2Fsandbox/leases';
  const reply = await stage.keyturn.call('POST', path, { token: payments, json: { ...WISH, ...more } });
  expect(reply.status).toBe(201);
  return String(reply.body['lease']);
}

async function renew(id: string, inUse?: readonly number[]): Promise<{ lease: string; version: number }> {
  const json = { ...WISH, uses: [], ...(inUse === undefined ? {} : { inUse }) };
  const { status, body } = await stage.keyturn.call('POST', `/v1/leases/${id}/renew`, { token: payments, json });
  expect(status).toBe(200);
  return { lease: String(body['lease']), version: Number(body['version']) };
}

/** Until the successor is current and the old version drains. */
async function swapped(): Promise<void> {
  await stage.start();
  await stage.import();
  await stage.until('draining', ({ step, waitsFor }) => step === 'drain' && waitsFor !== null);
}

/** Still draining, having looked once more. */
async function stillDraining(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  await stage.keyturn.serving.instance.rotator.tick();
  expect(await stage.show()).toMatchObject({ step: 'drain' });
}

test('who was given the new version is waited for until they say that they use the old one no more', async () => {
  await set();
  const old = await lease();
  await swapped();
  const fresh = await renew(old, [1]);
  expect(fresh.version).toBe(2);
  const shown = await stage.until('moved', ({ waitsFor }) => waitsFor?.includes('have not said yet') === true);
  expect(shown.stragglers).toMatchObject([{ principal: 'service:payments', lease: old, moved: true }]);
  await renew(fresh.lease);
  await stillDraining();
  await renew(fresh.lease, [2, 1]);
  await stillDraining();
  const before = Date.now();
  await renew(fresh.lease, [2]);
  await stage.untilStep('revoke');
  const [row] = await stage.ledger.find('leases', { id: old });
  expect(row?.state).toBe('ended');
  expect((row?.expires_at ?? 0) - before).toBeGreaterThan(60_000);
});

test('who gives the new lease back uses neither', async () => {
  await set();
  const old = await lease();
  await swapped();
  const fresh = await renew(old, [1]);
  await stillDraining();
  await stage.keyturn.call('DELETE', `/v1/leases/${fresh.lease}`, { token: payments });
  await stage.untilStep('revoke');
});

test('a lease whose client goes on with another one ends with that, however many answers were lost', async () => {
  await set();
  const old = await lease();
  await swapped();
  const lost = await renew(old, [1]);
  const again = await lease({ replaces: old });
  expect(await stage.ledger.find('leases', { state: 'live' })).toMatchObject([{ id: again, version: 2 }]);
  expect(await stage.ledger.find('leases', { state: 'ended' }, { orderBy: 'granted_at' })).toMatchObject([
    { id: old, replaced_by: lost.lease },
    { id: lost.lease, replaced_by: again },
  ]);
  await stillDraining();
  await renew(again, [2]);
  await stage.untilStep('revoke');
});

test('a live lease of the old version that its client goes on without ends with the grant', async () => {
  await set();
  const old = await lease();
  await swapped();
  const other = await lease();
  await renew(other, [2]);
  expect(await stage.show()).toMatchObject({ stragglers: [{ lease: old, moved: false }] });
  await renew(await lease({ replaces: old }), [2]);
  await stage.untilStep('revoke');
});

test('nobody ends the lease of another principal by naming it', async () => {
  await set();
  const old = await lease();
  const billing = await stage.keyturn.grant('service:billing', 'service');
  const path = '/v1/credentials/lean%2Fsandbox/leases';
  const reply = await stage.keyturn.call('POST', path, { token: billing, json: { ...WISH, replaces: old } });
  expect(reply.status).toBe(201);
  expect(await stage.ledger.find('leases', { id: old })).toMatchObject([{ state: 'live', replaced_by: null }]);
});
