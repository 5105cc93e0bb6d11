import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { doChores } from '../../../src/compose/serve.ts';
import type { HoldRow } from '../../../src/ledger/tables.ts';
import { TestInstance } from '../../e2e/instance.ts';
import { Stage } from '../stage.ts';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterEach(() => stage.strike());

/** On a machine that is too busy the journal took it first. */
async function rowOf(hold: unknown): Promise<HoldRow> {
  await doChores(stage.keyturn.serving.instance);
  const [row] = await stage.desk.ledger.find('holds', { id: String(hold) });
  if (row === undefined) throw new Error('The ledger has no such hold.');
  return row;
}

/** A freeze that stands in the ledger, and in the journal still: as after a crash before that was emptied. */
async function frozenTwice(): Promise<string> {
  const { body } = await stage.freeze('credential', 'lean/sandbox');
  const row = await rowOf(body['hold']);
  await stage.keyturn.serving.instance.journal.append({ ...row });
  return String(body['hold']);
}

test('a hold that the ledger took before the crash is replayed as nothing, and the journal is empty', async () => {
  await frozenTwice();
  await stage.keyturn.restart();
  expect(await stage.keyturn.entries('hold.placed')).toHaveLength(1);
  expect(await stage.desk.ledger.find('holds', {})).toHaveLength(1);
  expect(await stage.keyturn.serving.instance.journal.records()).toEqual([]);
  expect(await stage.lease(payments)).toMatchObject({ body: { code: 'held' } });
});

test.each([
  ['its row says that it was lifted', "UPDATE holds SET lifted_at = 1, lifted_by = 'person:eve'"],
  ['its row is gone', 'DELETE FROM holds'],
  ['its row is about something else', "UPDATE holds SET subject = 'lean/production'"],
])('a freeze of which %s, and the log says nothing, holds after a start, which tells of it', async (_, sql) => {
  const { body } = await stage.freeze('credential', 'lean/sandbox');
  const lifted = String((await stage.freeze('host', '192.0.2.1')).body['hold']);
  const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  await stage.post(`/v1/holds/${lifted}/thaw`);
  expect(await stage.post(`/v1/holds/${lifted}/thaw`, { token: bob })).toMatchObject({ body: { state: 'lifted' } });
  await rowOf(body['hold']);
  await stage.keyturn.serving.stop();
  const ledger = new DatabaseSync(join(stage.keyturn.home, 'ledger', 'ledger.db'));
  ledger.exec(sql);
  ledger.close();
  stage.keyturn.serving = (await TestInstance.open(stage.keyturn.home, stage.clock)).serving;
  expect(await stage.lease(payments)).toMatchObject({ body: { code: 'held' } });
  const restored = [{ credential: 'lean/sandbox', data: { hold: body['hold'], target: 'credential' } }];
  expect(await stage.keyturn.entries('hold.restored')).toMatchObject(restored);
  // It is lifted as ever, and then stays so.
  const thaw = (token: string) => stage.post(`/v1/holds/${String(body['hold'])}/thaw`, { token });
  expect([(await thaw(bob)).body['state'], (await thaw(stage.keyturn.admin)).body['state']]).toEqual([
    'asked',
    'lifted',
  ]);
  await stage.keyturn.restart();
  expect((await stage.lease(payments)).status).toBe(201);
  expect(await stage.keyturn.entries('hold.restored')).toHaveLength(1);
});

test('what is torn in the journal may have been a freeze: a start says so once, on the log and in the server’s, and takes the rest', async () => {
  const { journal } = stage.keyturn.serving.instance;
  const row = await rowOf((await stage.freeze('host', '192.0.2.1')).body['hold']);
  await journal.append({ ...row, id: 'hold_1', subject: '192.0.2.2' });
  await journal.append({ ...row, id: 'hold_2', subject: '192.0.2.3' });
  const file = await open(join(stage.keyturn.home, 'journal', 'freeze.journal'), 'r+');
  await file.write(Buffer.from('X'), 0, 1, 60);
  await file.close();
  await stage.keyturn.restart();
  expect(await stage.keyturn.entries('journal.torn')).toMatchObject([{ actor: 'system', data: { slots: [0] } }]);
  expect(stage.keyturn.log.filter((line) => line.includes('freeze-journal-torn'))).toHaveLength(1);
  expect(await stage.desk.ledger.find('holds', { subject: '192.0.2.3' })).toHaveLength(1);
  await stage.keyturn.restart();
  expect(await stage.keyturn.entries('journal.torn')).toHaveLength(1);
});

test('one that was lifted meanwhile, by way of another server, does not come back', async () => {
  const hold = await frozenTwice();
  const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  await stage.post(`/v1/holds/${hold}/thaw`);
  expect(await stage.post(`/v1/holds/${hold}/thaw`, { token: bob })).toMatchObject({ body: { state: 'lifted' } });
  await stage.keyturn.restart();
  expect(await stage.keyturn.entries('hold.placed')).toHaveLength(1);
  expect(await stage.lease(payments)).toMatchObject({ status: 201 });
});
