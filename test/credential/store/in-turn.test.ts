import { afterEach, beforeEach, expect, test } from 'vitest';
import { doChores } from '../../../src/compose/serve.ts';
import type { Reply } from '../../e2e/instance.ts';
import { opened, type Stage } from '../stage.ts';
import { driverOf, twoStores } from './two-stores.ts';

let stage: Stage;
let payments: string;
/** Of the fence that whoever is in a turn holds; as after `lose`, it may not be the newest any more. */
let held = 1;

beforeEach(async () => {
  stage = await twoStores();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
  await stage.companion('one');
  const { ledger } = stage.desk;
  await raise(1);
  ledger.withFence = async (_names, _mode, work) => {
    const checks = [{ rule: 'fenced-off', table: 'fences', some: { name: 'turn', number: held } } as const];
    return { ran: true, value: await work({ checks }) };
  };
});
afterEach(() => stage.strike());

/** Another server takes the turn. */
async function raise(number: number): Promise<void> {
  await stage.desk.ledger.commit({
    writes: [{ put: 'fences', row: { name: 'turn', number } }],
    entry: { kind: 'a.turn', actor: 'system', data: {} },
  });
}

/** In the middle of an effect: its next write to a store ends after another server has taken the turn. */
function loseAtWrite(store: string): void {
  const driver = driverOf(stage, store);
  const write = driver.write.bind(driver);
  driver.write = async (record, octets) => {
    driver.write = write;
    await write(record, octets);
    await raise(2);
  };
}

/** The server that has the turn now settles what it finds. */
async function settleElsewhere(): Promise<void> {
  held = 2;
  await doChores(stage.keyturn.serving.instance);
}

const FENCED_OFF = { status: 409, body: { code: 'conflict', detail: expect.stringContaining('took the turn') } };
const states = async () =>
  (await stage.desk.ledger.find('versions', {}, { orderBy: 'version' })).map((row) => row.state);
const lent = async () =>
  opened(await stage.lease(payments))
    .get('companion/lean-app-token')
    ?.toString();
const move = (): Promise<Reply> =>
  stage.post('/v1/stores/file/moves', { json: { to: 'archive', record: 'versions/lean/sandbox/1' } });
const storeOf = async () => (await stage.desk.ledger.find('versions', { version: 1 }))[0]?.store;

beforeEach(() => {
  held = 1;
});

test('an import that loses its turn while it writes is left to whoever has the turn', async () => {
  loseAtWrite('file');
  expect(await stage.import()).toMatchObject(FENCED_OFF);
  expect(await states()).toEqual(['current', 'pending']);
  await settleElsewhere();
  expect(await states()).toEqual(['current', 'staged']);
});

test('a companion whose turn is lost while it is written does not take the place of the one of before', async () => {
  loseAtWrite('file');
  expect(await stage.companion('two')).toMatchObject(FENCED_OFF);
  expect(await lent()).toBe('one');
  await settleElsewhere();
  expect(await lent()).toBe('two');
});

test('a move that loses its turn while it copies switches nothing', async () => {
  loseAtWrite('archive');
  expect(await move()).toMatchObject(FENCED_OFF);
  expect(await storeOf()).toBe('file');
  await settleElsewhere();
  expect(await storeOf()).toBe('archive');
});

test('what has lost its turn before it begins changes nothing', async () => {
  await raise(2);
  for (const tried of [await stage.import(), await stage.companion('two'), await move()]) {
    expect(tried).toMatchObject(FENCED_OFF);
  }
  expect(await states()).toEqual(['current']);
  expect(await stage.desk.ledger.find('companions', {})).toHaveLength(1);
  expect(await stage.desk.ledger.find('moves', {})).toEqual([]);
});
