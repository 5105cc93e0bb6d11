import { once } from 'node:events';
import { expect, test } from 'vitest';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { load } from './swap/load.ts';
import { startSwapScene } from './swap/scene.ts';

const SHORT = { leases: { default: '4s', maximum: '1h' } };

async function partnerAndFiles() {
  const partner = await startPartner();
  const chain = await partner.portal.chain();
  const files = async () => {
    const { serial, zip } = await partner.portal.generate({ key: 'ec-p256' });
    return { serial, files: { 'cert.zip': zip, 'chain.zip': chain } };
  };
  return { partner, first: await files(), second: await files() };
}

function options(partner: Partner, credential: Awaited<ReturnType<typeof startSwapScene>>['credential']) {
  const { mtlsUrl, appToken } = partner;
  const headers = { 'lean-app-token': appToken };
  return { url: `${mtlsUrl}/whoami`, agent: credential.mtlsAgent(), headers, total: 1_000, inFlight: 16 };
}

test.each([
  ['over kept connections', false],
  ['over a new connection each', true],
])(
  'a promotion that nobody tells the client of is found at its renewal, %s',
  async (_, newConnections) => {
    const { partner, first, second } = await partnerAndFiles();
    await using _partner = partner;
    await using scene = await startSwapScene(partner, first.files, SHORT);
    const { keyturn, credential } = scene;
    let drainedAt = Number.POSITIVE_INFINITY;
    const calls = await load({
      ...options(partner, credential),
      newConnections,
      at: {
        call: 100,
        act: async () => {
          await keyturn.import('lean/sandbox', second.files);
          const drained = once(credential, 'drained');
          const { status } = await keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/versions/2/promote');
          expect(status).toBe(200);
          expect(await drained).toEqual([{ credential: 'lean/sandbox', version: 1, cut: 0 }]);
          drainedAt = Date.now();
        },
      },
    });
    expect(calls.length).toBeGreaterThanOrEqual(1_000);
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);

    const serials = (from: typeof partner.seen) => new Set(from.map(({ serial }) => serial));
    expect(serials(partner.seen)).toEqual(new Set([first.serial, second.serial]));
    const late = partner.seen.filter(({ at }) => at > drainedAt);
    expect(late.length).toBeGreaterThan(16);
    expect(serials(late)).toEqual(new Set([second.serial]));
    // No connection of the one carried a request of the other, and no session was resumed.
    const sockets = (serial: string) =>
      partner.seen.filter((seen) => seen.serial === serial).map((seen) => seen.socketId);
    expect(new Set(sockets(first.serial)).intersection(new Set(sockets(second.serial))).size).toBe(0);
    expect(partner.seen.filter(({ resumed }) => resumed)).toEqual([]);
  },
  60_000,
);

test('the control: connections that are cut instead of drained show as failed calls', async () => {
  const { partner, first } = await partnerAndFiles();
  await using _partner = partner;
  await using scene = await startSwapScene(partner, first.files, SHORT);
  await partner.set({ delayMs: 5 });
  const calls = await load({
    ...options(partner, scene.credential),
    total: 300,
    newConnections: false,
    at: { call: 100, act: async () => scene.credential.mtlsAgent().destroy() },
  });
  expect(calls.filter(({ status }) => status !== 200).length).toBeGreaterThan(0);
});
