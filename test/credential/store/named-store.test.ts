import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestCa } from '../../fakes/ca.ts';
import { opened, type Stage } from '../stage.ts';
import { driverOf, twoStores } from './two-stores.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await twoStores();
});
afterEach(() => stage.strike());

const versions = () => stage.desk.ledger.find('versions', {}, { orderBy: 'version' });
const importTo = async (store: string | null, ca = stage.ca) => {
  const { keyPem, certificatePem } = await ca.client();
  const files = { 'all.pem': Buffer.from(keyPem + certificatePem + ca.chainPem) };
  return stage.keyturn.import('lean/sandbox', files, store === null ? {} : { store });
};
const companion = (store: string) =>
  stage.keyturn.call('PUT', `/v1/credentials/lean%2Fsandbox/companions/app-token?store=${store}`, {
    raw: Buffer.from('a token'),
    headers: { 'content-type': 'application/octet-stream' },
  });

test('a key goes to the store that is named, else to the default one, and is lent from there', async () => {
  expect(await importTo('archive')).toMatchObject({ status: 201, body: { version: 1, state: 'current' } });
  expect(await importTo(null)).toMatchObject({ status: 201, body: { version: 2, state: 'staged' } });
  expect(await companion('archive')).toMatchObject({ status: 200 });
  expect((await versions()).map(({ store }) => store)).toEqual(['archive', 'file']);
  expect((await driverOf(stage, 'archive').list()).sort()).toEqual([
    'companions/lean/sandbox/app-token/1',
    'versions/lean/sandbox/1',
  ]);
  const payments = await stage.keyturn.grant('service:payments', 'service');
  expect([...opened(await stage.lease(payments)).keys()]).toEqual(['key', 'companion/app-token']);
  await stage.keyturn.restart();
  expect([...opened(await stage.lease(payments)).keys()]).toEqual(['key', 'companion/app-token']);
});

test('a store that is not there is refused with those that are, and nothing is kept', async () => {
  const refused = { code: 'invalid_input', fix: 'Its stores: file, archive.' };
  expect(await importTo('elsewhere')).toMatchObject({ status: 400, body: refused });
  expect(await companion('elsewhere')).toMatchObject({ status: 400, body: refused });
  expect(await versions()).toEqual([]);
});

test('first versions into different stores at the same time: one chain is pinned, and each has its number', async () => {
  const other = await TestCa.create('Other CA');
  const replies = await Promise.all([importTo('archive'), importTo('file', other)]);
  expect(replies.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 422]);
  expect(replies.find(({ status }) => status === 422)?.body).toMatchObject({ code: 'chain_untrusted' });
  const winner = replies[0]?.status === 201 ? stage.ca : other;
  await Promise.all([importTo('archive', winner), importTo('file', winner)]);
  expect((await versions()).map(({ version, state }) => `${version} ${state}`)).toEqual([
    '1 current',
    '2 staged',
    '3 staged',
  ]);
});

test('a frozen store takes no new key and no companion; another one does', async () => {
  await importTo(null);
  await stage.freeze('store', 'archive');
  expect(await importTo('archive')).toMatchObject({ status: 403, body: { code: 'held' } });
  expect(await companion('archive')).toMatchObject({ status: 403, body: { code: 'held' } });
  expect(await importTo('file')).toMatchObject({ status: 201 });
});
