import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeAws } from '../../fakes/aws.ts';
import type { Stage } from '../stage.ts';
import { twoStores } from '../store/two-stores.ts';

let aws: FakeAws;
let stage: Stage;
beforeAll(async () => {
  aws = await FakeAws.start();
  stage = await twoStores({ 'aws-eu': { kind: 'aws', ...aws.connection, deletion: 7 } });
});
afterAll(async () => {
  await stage.strike();
  await aws[Symbol.asyncDispose]();
});

const act = (what: string, version: number, json?: object) =>
  stage.post(`/v1/credentials/lean%2Fsandbox/versions/${version}/${what}`, json === undefined ? {} : { json });

test('a key that AWS keeps for a recovery window is not called gone for good', async () => {
  await stage.import();
  await stage.import();
  const moved = await stage.post('/v1/stores/file/moves', {
    json: { to: 'aws-eu', record: 'versions/lean/sandbox/2' },
  });
  expect(moved).toMatchObject({ status: 200 });
  expect(await act('retire', 2, {})).toMatchObject({ status: 200 });
  const { status, body } = await act('destroy', 2);
  expect([status, body['stores']]).toEqual([200, ['file', 'aws-eu']]);
  expect(body['lingering']).toEqual([
    { store: 'aws-eu', detail: 'AWS keeps it for 7 days: whoever may call RestoreSecret can bring it back' },
  ]);
});

test('nor is the old copy that a move leaves there', async () => {
  await stage.import();
  const record = 'versions/lean/sandbox/3';
  expect(await stage.post('/v1/stores/file/moves', { json: { to: 'aws-eu', record } })).toMatchObject({ status: 200 });
  const back = await stage.post('/v1/stores/aws-eu/moves', { json: { to: 'file', record } });
  const { items } = (await stage.keyturn.call('GET', '/v1/copies?store=aws-eu')).body as { items: { id: string }[] };
  expect([back.status, items]).toMatchObject([200, [{ record }]]);
  const { status, body } = await stage.keyturn.call('DELETE', `/v1/copies/${items[0]?.id}`);
  expect([status, body['lingers']]).toEqual([
    200,
    'AWS keeps it for 7 days: whoever may call RestoreSecret can bring it back',
  ]);
});
