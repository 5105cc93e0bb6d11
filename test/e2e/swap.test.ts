import { expect, test } from 'vitest';
import { startPartner } from '../fakes/partner/partner.ts';
import { load } from './swap/load.ts';
import { startSwapScene } from './swap/scene.ts';

test.each([
  ['over kept connections', false],
  ['over a new connection each', true],
])(
  '1,000 requests %s during a swap: none fails, none goes out on the old certificate afterwards',
  async (_, fresh) => {
    await using partner = await startPartner();
    const first = await partner.portal.generate({ key: 'ec-p256' });
    const chain = await partner.portal.chain();
    await using scene = await startSwapScene(partner, { 'cert.zip': first.zip, 'chain.zip': chain });
    const second = await partner.portal.generate({ key: 'ec-p256' });
    const options = {
      url: `${partner.mtlsUrl}/whoami`,
      agent: scene.credential.mtlsAgent(),
      headers: { 'lean-app-token': partner.appToken },
      total: 1_000,
      inFlight: 16,
      newConnections: fresh,
    };
    const control = await load(options);
    expect(control.filter(({ status }) => status !== 200)).toEqual([]);

    let swappedAt = Number.POSITIVE_INFINITY;
    const calls = await load({
      ...options,
      at: {
        call: 100,
        act: async () => {
          await scene.swap({ 'cert.zip': second.zip, 'chain.zip': chain });
          swappedAt = performance.now();
        },
      },
    });
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
    const late = calls.filter(({ started }) => started > swappedAt);
    const serials = (from: typeof calls) =>
      new Set(from.map(({ body }) => (JSON.parse(body) as { serial: string }).serial));
    expect(serials(calls)).toEqual(new Set([first.serial, second.serial]));
    const after = late.length > 0 ? late : await load({ ...options, total: 16 });
    expect(serials(after)).toEqual(new Set([second.serial]));
  },
  60_000,
);
