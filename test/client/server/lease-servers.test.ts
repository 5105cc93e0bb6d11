import { expect, test } from 'vitest';
import { connect, type KeyturnClient } from '../../../src/client/index.ts';
import { CREDENTIAL, FakeKeyturn, TOKEN } from '../../fakes/keyturn-server.ts';
import { type Scene, startScene, Told } from '../setup.ts';
import { TestTime } from '../time.ts';

/** A client of two servers over one log: that of the scene first, and another. */
interface Pair extends AsyncDisposable {
  readonly scene: Scene;
  readonly second: FakeKeyturn;
  readonly client: KeyturnClient;
  readonly time: TestTime;
  readonly told: Told;
}

async function startPair(): Promise<Pair> {
  const scene = await startScene();
  const { issued } = scene.keyturn.lent;
  const second = await FakeKeyturn.start({ ...scene.keyturn.lent, issued }, scene.keyturn.log);
  const [time, told] = [new TestTime(), new Told()];
  const options = { token: () => Buffer.from(TOKEN), on: told.listeners, clock: time, scheduler: time, watch: false };
  const client = await connect({ ...options, connection: scene.keyturn.connection([second]) });
  const dispose = async (): Promise<void> => {
    scene.keyturn.trouble = null;
    await client.close();
    await second.stop();
    await scene[Symbol.asyncDispose]();
  };
  return { scene, second, client, time, told, [Symbol.asyncDispose]: dispose };
}

/** Lets the call that the first server has now run into its time limit. */
async function timeOut({ scene, time }: Pair, calls: number): Promise<void> {
  await expect.poll(() => scene.keyturn.arrived.length).toBe(calls);
  time.advance(5_000);
}

test('a server that hangs costs all credentials of a process one time limit, not each of them', async () => {
  await using pair = await startPair();
  const { client, scene, second } = pair;
  const before = scene.keyturn.arrived.length;
  scene.keyturn.trouble = { kind: 'hang' };
  const leased = Promise.all(Array.from({ length: 20 }, () => client.credential(CREDENTIAL)));
  await timeOut(pair, before + 1);
  await leased;
  expect(second.calls('/leases')).toHaveLength(20);
  await Promise.all((await leased).map((credential) => credential.renew()));
  expect(second.calls('/renew')).toHaveLength(20);
  expect(scene.keyturn.arrived).toHaveLength(before + 1);
  expect(pair.told.of('alarm')).toEqual([]);
});

test('a server that gave no answer is asked first again a minute later, and last until then', async () => {
  await using pair = await startPair();
  const { client, scene, second, time } = pair;
  scene.keyturn.trouble = { kind: 'cut' };
  const credential = await client.credential(CREDENTIAL);
  scene.keyturn.trouble = null;
  time.advance(59_999);
  second.trouble = { kind: 'problem', status: 429, code: 'rate_limited' };
  const renewals = () => [scene.keyturn.calls('/renew').length, second.calls('/renew').length];
  await credential.renew();
  expect(renewals()).toEqual([1, 1]);
  // It has answered: its place is the first again.
  await credential.renew();
  expect(renewals()).toEqual([2, 1]);
  scene.keyturn.trouble = { kind: 'cut' };
  second.trouble = null;
  await credential.renew();
  await credential.renew();
  expect(renewals()).toEqual([3, 3]);
  time.advance(60_000);
  await credential.renew();
  expect(renewals()).toEqual([4, 4]);
});

test('when none answers, each is asked with every try', async () => {
  await using pair = await startPair();
  const credential = await pair.client.credential(CREDENTIAL);
  for (const keyturn of [pair.scene.keyturn, pair.second]) keyturn.trouble = { kind: 'cut' };
  for (let at = 1; at <= 3; at += 1) {
    await credential.renew();
    expect(pair.scene.keyturn.calls('/renew')).toHaveLength(at);
    expect(pair.second.calls('/renew')).toHaveLength(at);
  }
});
