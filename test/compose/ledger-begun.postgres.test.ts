import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { initInstance } from '../../src/compose/init.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { openInstance } from '../../src/compose/open.ts';
import type { PostgresSetting } from '../../src/compose/settings/ledger.ts';
import { examineLedger } from '../../src/compose/upkeep/examine/ledger.ts';
import { PostgresCluster } from '../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../fakes/postgres/proxy.ts';
import { emptyHome, madeHome } from './home.ts';

let cluster: PostgresCluster;
let postgres: PostgresSetting;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  const { passwordFile = '', port = 0, ...place } = await cluster.database();
  postgres = { ...place, port, 'password-file': passwordFile };
});

async function schemas(): Promise<unknown[]> {
  return cluster.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'keyturn'", postgres.database);
}

test('an instance begins in a database, without a ledger file, and opens', async () => {
  await using home = await madeHome({ postgres });
  const config = await loadConfig(home.path);
  expect(config.ledger).toMatchObject({ postgres: { host: '127.0.0.1', database: postgres.database } });
  expect(await readdir(home.path)).not.toContain('ledger');
  const checks = await examineLedger(config);
  expect(checks.map(({ name }) => name)).toContain('ledger rights');
  expect(checks.every(({ verdict }) => verdict === 'ok')).toBe(true);
  const instance = await openInstance(config, { ask: cannotAsk });
  const entries = await instance.desk.ledger.entries({});
  expect(entries.map(({ json }) => (JSON.parse(json) as { kind: string }).kind)).toEqual([
    'log.started',
    'token.created',
    'policy.loaded',
  ]);
  await instance.close();
});

test('a schema that holds a ledger is refused, and nothing in it is touched', async () => {
  await using home = await madeHome({ postgres });
  await using other = await emptyHome();
  const again = { home: other.path, administrator: 'mallory', port: 0, ask: cannotAsk, postgres };
  await expect(initInstance(again)).rejects.toMatchObject({
    code: 'conflict',
    fix: expect.stringContaining('DROP SCHEMA "keyturn"'),
  });
  expect(await readdir(other.path)).toEqual([]);
  const [row] = await cluster.sql('SELECT size::int AS size FROM keyturn.head', postgres.database);
  expect(row?.['size']).toBe(2);
  await (await openInstance(await loadConfig(home.path), { ask: cannotAsk })).close();
});

test.each([false, true])('a failed init takes back what it made; schema there before: %s', async (before) => {
  // The first token can't be written.
  for (const sql of [
    'CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$',
    `CREATE FUNCTION plant() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      IF to_regclass('keyturn.tokens') IS NOT NULL THEN
        CREATE OR REPLACE TRIGGER no BEFORE INSERT ON keyturn.tokens EXECUTE FUNCTION public.no();
      END IF; END $$`,
    "CREATE EVENT TRIGGER plant ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION plant()",
    ...(before ? ['CREATE SCHEMA keyturn'] : []),
  ]) {
    await cluster.sql(sql, postgres.database);
  }
  await using home = await emptyHome();
  const options = { home: home.path, administrator: 'alice', port: 0, ask: cannotAsk, postgres };
  await expect(initInstance(options)).rejects.toMatchObject({ code: expect.any(String) });
  expect(await readdir(home.path)).toEqual([]);
  expect(await schemas()).toHaveLength(before ? 1 : 0);
  await cluster.sql('DROP EVENT TRIGGER plant', postgres.database);
  await initInstance(options);
});

test('a database that can’t be reached leaves nothing in the folder', async () => {
  await using proxy = await PostgresProxy.start(cluster.port);
  proxy.refuse(true);
  await using home = await emptyHome();
  const through = { ...postgres, port: proxy.port };
  const options = { home: home.path, administrator: 'alice', port: 0, ask: cannotAsk, postgres: through };
  await expect(initInstance(options)).rejects.toMatchObject({ code: 'ledger_unavailable' });
  expect(await readdir(home.path)).toEqual([]);
});
