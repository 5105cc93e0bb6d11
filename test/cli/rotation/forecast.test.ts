import { afterEach, beforeEach, expect, test } from 'vitest';
import { edit } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { served } from '../keyturn.ts';

let stand: Awaited<ReturnType<typeof served>>;
beforeEach(async () => {
  stand = await served();
  const ca = await TestCa.create();
  for (const name of ['lean/sandbox', 'lean/production']) {
    const { keyPem, certificatePem } = await ca.client();
    const file = Buffer.from(keyPem + certificatePem + ca.chainPem);
    expect(await stand.instance.import(name, { 'all.pem': file })).toMatchObject({ status: 201 });
  }
});
afterEach(() => stand.stop());

test('keyturn rotation forecast: what falls due, why and when', async () => {
  const { keyturn } = stand;
  expect((await keyturn.run(['rotation', 'forecast'])).out).toMatch(/^Nothing falls due until 20/);
  const ran = await keyturn.run(['rotation', 'forecast', '--days', '300']);
  expect(ran).toMatchObject({ code: 0, err: '' });
  const [head, ...rows] = ran.out.trimEnd().split('\n');
  expect(head).toMatch(/^credential +version +reason +holds from +begins +at the latest$/i);
  expect(rows.filter((row) => row.includes('lifetime-share'))).toHaveLength(2);
  const told = await keyturn.json<{ total: number; automatic: boolean; items: { at: string; latest: string }[] }>([
    'rotation',
    'forecast',
    '--days',
    '300',
  ]);
  expect(told).toMatchObject({ total: 2, automatic: true });
  expect(told.items.map(({ at }) => at)).toEqual(told.items.map(({ at }) => at).toSorted());
});

test('nobody is told of credentials that they may not list', async () => {
  const { instance } = stand;
  const bob = await instance.grant('person:bob', 'auditor', { credentials: ['lean/production'] });
  const path = '/v1/rotations/forecast?days=300';
  expect((await instance.call('GET', path, { token: bob })).body).toMatchObject({
    total: 1,
    items: [{ credential: 'lean/production' }],
  });
  const stranger = await instance.token('person:eve');
  expect((await instance.call('GET', path, { token: stranger })).body).toMatchObject({ total: 0, items: [] });
  expect(await instance.call('GET', '/v1/rotations/forecast?days=0')).toMatchObject({ status: 400 });
});

test('where nothing begins by itself, that is said', async () => {
  const { instance, keyturn } = stand;
  await edit(`${instance.home}/keyturn.yaml`, (config) => ({ ...config, rotation: { automatic: false } }));
  await instance.restart();
  expect((await keyturn.run(['rotation', 'forecast'])).out).toContain('rotation.automatic is false');
});
