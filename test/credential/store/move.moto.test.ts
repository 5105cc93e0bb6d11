import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeAws } from '../../fakes/aws.ts';
import { opened, type Stage } from '../stage.ts';
import { driverOf, twoStores } from './two-stores.ts';

const KEY = 'versions/lean/sandbox/1';

let aws: FakeAws;
let stage: Stage;
let payments: string;
beforeAll(async () => {
  aws = await FakeAws.start();
  stage = await twoStores({ 'aws-eu': { kind: 'aws', ...aws.connection, 'adopt-from': ['teams/*'] } });
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterAll(async () => {
  await stage.strike();
  await aws[Symbol.asyncDispose]();
});

const move = (from: string, to: string) => stage.post(`/v1/stores/${from}/moves`, { json: { to, record: KEY } });
const lent = async () =>
  opened(await stage.lease(payments))
    .get('key')
    ?.toString('hex');

test('a key goes to AWS and is lent from there; its old copy is destroyed', async () => {
  const before = await lent();
  const moved = await move('file', 'aws-eu');
  expect(moved).toMatchObject({ status: 200 });
  expect(await stage.keyturn.call('DELETE', `/v1/copies/${String(moved.body['move'])}`)).toMatchObject({ status: 200 });
  expect(await driverOf(stage, 'file').list()).not.toContain(KEY);
  expect(await aws.versions(`keyturn/${KEY}`)).toBe(1);
  expect(await lent()).toBe(before);
});

test('a plan into AWS says that its rights show at the first write', async () => {
  const { body } = await stage.post('/v1/stores/file/plan', { json: { to: 'aws-eu' } });
  expect(body['to']).toMatchObject({ name: 'aws-eu', ready: true, lacking: null });
});

test('from AWS that denies the reading nothing moves, and the key stays where it is; later it goes', async () => {
  aws.proxy.policies = [{ Version: '2012-10-17', Statement: [] }];
  expect(await move('aws-eu', 'archive')).toMatchObject({ status: 503, body: { code: 'keystore_unavailable' } });
  aws.proxy.policies = null;
  expect(await driverOf(stage, 'archive').list()).toEqual([]);
  expect((await stage.desk.ledger.find('versions', {})).map(({ store }) => store)).toEqual(['aws-eu']);
  expect(await move('aws-eu', 'archive')).toMatchObject({ status: 200 });
});

test('a destroyed version is gone from AWS too, where an old copy of it lay', async () => {
  await stage.import();
  await stage.promote(2);
  const version = '/v1/credentials/lean%2Fsandbox/versions/1';
  expect(await stage.post(`${version}/retire`, { json: { force: true } })).toMatchObject({ status: 200 });
  const destroyed = await stage.post(`${version}/destroy`);
  expect(destroyed).toMatchObject({ status: 200, body: { stores: ['aws-eu', 'archive'] } });
  expect(await aws.versions(`keyturn/${KEY}`)).toBe(0);
});

test('a key is adopted from a secret that is one PEM as a whole', async () => {
  const SecretString = (await stage.file()).toString();
  await aws.ask('secretsmanager:CreateSecret', { Name: 'teams/pay/lean', SecretString });
  const { multipart } = await import('../../../src/cli/api/form.ts');
  const form = multipart([], { from: 'aws-eu', path: 'teams/pay/lean', environment: 'sandbox', store: 'archive' });
  const adopted = await stage.post('/v1/credentials/lean%2Fsandbox/adoptions', {
    raw: form.body,
    headers: { 'content-type': form.type },
  });
  expect(adopted).toMatchObject({
    status: 201,
    body: { version: 3, state: 'staged', original: { store: 'aws-eu', path: 'teams/pay/lean' } },
  });
  expect(await aws.versions('teams/pay/lean')).toBe(1);
});

test('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
