import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { doChores } from '../../src/compose/serve.ts';
import type { TestInstance } from '../e2e/instance.ts';
import { failNextWrite, opened, Stage } from './stage.ts';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterEach(() => stage.strike());

const states = async (instance: TestInstance = stage.keyturn) =>
  (await instance.serving.instance.desk.ledger.find('companions', {}, { orderBy: 'generation' })).map(
    ({ state }) => state,
  );
const lent = async () =>
  opened(await stage.lease(payments))
    .get('companion/lean-app-token')
    ?.toString();

test('a companion travels with every lease, the newest value alone', async () => {
  expect(await stage.companion('one')).toMatchObject({ status: 200, body: { generation: 1 } });
  expect(await lent()).toBe('one');
  expect(await stage.companion('two')).toMatchObject({ status: 200, body: { generation: 2 } });
  expect(await lent()).toBe('two');
  expect(await states()).toEqual(['superseded', 'current']);
});

test('one that the profile does not list is taken, and said to be unlisted', async () => {
  expect((await stage.companion('one')).body['warnings']).toEqual([]);
  const set = await stage.companion('one', 'lean-app-tokn');
  expect(set.body['warnings']).toMatchObject([{ code: 'companion-not-listed' }]);
  expect(set.text).toContain('lists lean-app-token');
});

test('its value is on no entry and in no answer', async () => {
  const canary = 'canary-5f2c';
  await stage.companion(canary);
  await stage.lease(payments);
  const all = (await stage.desk.ledger.entries({ limit: 1_000 })).map(({ json }) => json).join('');
  const shown = await stage.keyturn.call('GET', '/v1/credentials/lean%2Fsandbox');
  for (const text of [all, shown.text, stage.keyturn.log.join('')]) {
    expect(text).not.toContain(canary);
    expect(text).not.toContain(Buffer.from(canary).toString('base64'));
  }
});

test('set at the same time many times, one is current and all are numbered', async () => {
  const replies = await Promise.all(Array.from({ length: 6 }, (_, number) => stage.companion(`value ${number}`)));
  expect(replies.map(({ body }) => Number(body['generation'])).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await states()).toEqual([...Array(5).fill('superseded'), 'current']);
});

test.each([
  ['before', 'abandoned', 'one'],
  ['after', 'current', 'two'],
] as const)('a write that fails %s the octets landed is settled as %s', async (when, state, value) => {
  await stage.companion('one');
  void failNextWrite(stage.driver, when);
  expect(await stage.companion('two')).toMatchObject({ status: 503, body: { code: 'keystore_unavailable' } });
  expect(await lent()).toBe('one');
  await doChores(stage.keyturn.serving.instance);
  expect((await states()).at(-1)).toBe(state);
  expect(await lent()).toBe(value);
});

test('an interrupted value never comes back over a newer one', async () => {
  void failNextWrite(stage.driver, 'after');
  await stage.companion('older');
  expect(await stage.companion('newer')).toMatchObject({ status: 200 });
  await stage.keyturn.restart();
  expect(await states()).toEqual(['superseded', 'current']);
  expect(await lent()).toBe('newer');
  await stage.keyturn.restart();
  expect(await lent()).toBe('newer');
});

test('a crash between write and outcome is finished at the next start', async () => {
  await Promise.race([stage.companion('one'), failNextWrite(stage.driver, stage.end)]);
  const after = await stage.afterCrash();
  expect(await states(after)).toEqual(['current']);
  await after.stop();
});

test('a store that does not answer at the start keeps no server from starting, and settles later', async () => {
  void failNextWrite(stage.driver, 'after');
  await stage.companion('one');
  const read = stage.driver.read.bind(stage.driver);
  stage.driver.read = async () => Promise.reject(new Error('away'));
  await doChores(stage.keyturn.serving.instance);
  expect(await states()).toEqual(['pending']);
  stage.driver.read = read;
  await doChores(stage.keyturn.serving.instance);
  expect(await states()).toEqual(['current']);
});

describe('refused', () => {
  test.each([
    ['an empty value', '', 'lean-app-token', 400],
    ['one that is too long', 'x'.repeat(8_193), 'lean-app-token', 413],
    ['a name in capitals', 'x', 'Lean-App-Token', 400],
  ])('%s', async (_what, value, name, status) => {
    expect((await stage.companion(value, name)).status).toBe(status);
    expect(await states()).toEqual([]);
  });

  test('a companion of a credential that is not there', async () => {
    const reply = await stage.keyturn.call('PUT', '/v1/credentials/lean%2Fabsent/companions/a', {
      raw: Buffer.from('x'),
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(reply).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});
