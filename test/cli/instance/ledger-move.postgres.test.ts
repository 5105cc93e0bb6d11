import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { Keyturn } from '../keyturn.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test.each([
  ['as keyturn init calls them', '--postgres-'],
  ['as they were called before', '--'],
])('ledger move takes the database by options %s', async (_, prefix) => {
  const { host, port, database, user, passwordFile = '' } = await cluster.database();
  await using keyturn = await Keyturn.at();
  await keyturn.json(['init', '--admin', 'alice', '--port', '0']);
  const named = { host, port, database, user, schema: 'payments', 'password-file': passwordFile };
  const options = Object.entries(named).flatMap(([name, value]) => [`${prefix}${name}`, String(value)]);
  expect(await keyturn.run(['ledger', 'move', ...options])).toMatchObject({ code: 0 });
  const text = await readFile(join(keyturn.home, 'keyturn.yaml'), 'utf8');
  expect(parse(text)).toMatchObject({ ledger: { postgres: named } });
});

test('the former names are shown no more, and both names for one thing are refused', async () => {
  await using keyturn = await Keyturn.at();
  await keyturn.json(['init', '--admin', 'alice', '--port', '0']);
  const { out } = await keyturn.run(['ledger', 'move', '--help']);
  expect(out).toContain('--postgres-host <host>');
  expect(out).not.toMatch(/ --(?:host|database|user|ca) /);
  const both = ['ledger', 'move', '--host', 'a', '--postgres-host', 'b', '--database', 'kt', '--user', 'kt'];
  expect(await keyturn.refusal(both)).toMatchObject({ exit: 2, code: 'invalid_input' });
  const none = await keyturn.refusal(['ledger', 'move', '--host', 'a']);
  expect(none).toMatchObject({ exit: 2, fix: expect.stringContaining('--postgres-database') });
  const port = [
    '--postgres-host',
    'a',
    '--postgres-database',
    'kt',
    '--postgres-user',
    'kt',
    '--postgres-port',
    'many',
  ];
  expect(await keyturn.refusal(['ledger', 'move', ...port])).toMatchObject({
    exit: 2,
    message: expect.stringMatching(/^--postgres-port: .*1 to 65535/),
  });
});
