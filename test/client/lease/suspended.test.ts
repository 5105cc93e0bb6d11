import { expect, test } from 'vitest';
import { startScene } from '../setup.ts';

const HOUR_MS = 3_600_000;

test('after a sleep beyond the end of the lease, renew() brings a new one at once', async () => {
  await using scene = await startScene();
  // The wall clock alone went on, and no timer has fired.
  scene.time.jumpWall(HOUR_MS);
  await scene.credential.renew();
  expect(scene.told.codes('ended')).toEqual(['lease_expired']);
  expect(scene.credential.status()).toMatchObject({ state: 'live', secondsLeft: 300 });
  expect(scene.keyturn.calls('/renew')).toEqual([]);
  expect(scene.keyturn.calls('/leases').at(-1)?.body?.replaces).toBe('lease_1');
  expect((await scene.credential.fetch(scene.partner.url)).status).toBe(200);
});

test('a lease that ended with no try to renew it is not told as an outage of Keyturn', async () => {
  await using slept = await startScene();
  slept.time.jumpWall(HOUR_MS);
  expect(slept.credential.status().reason).toMatchObject({
    code: 'lease_expired',
    message: expect.stringContaining('this process slept'),
  });
  await using cut = await startScene();
  await cut.keyturn.stop();
  await cut.credential.renew();
  cut.time.jumpWall(HOUR_MS);
  expect(cut.credential.status().reason).toMatchObject({
    code: 'lease_expired',
    fix: expect.stringContaining('alarms'),
  });
});

test('a credential that was closed does not end once more after a sleep', async () => {
  await using scene = await startScene();
  await scene.credential.close();
  const { ended, reason } = { ended: scene.told.codes('ended'), reason: scene.credential.status().reason };
  scene.time.jumpWall(HOUR_MS);
  await scene.credential.renew();
  expect(scene.told.codes('ended')).toEqual(ended);
  expect(scene.credential.status().reason).toEqual(reason);
});
