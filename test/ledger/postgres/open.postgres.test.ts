import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LogSigner } from '../../../src/audit/checkpoint.ts';
import { clientConfig } from '../../../src/ledger/postgres/connection/client-config.ts';
import type { PostgresPlace } from '../../../src/ledger/postgres/connection/place.ts';
import { Session } from '../../../src/ledger/postgres/connection/session.ts';
import { MIGRATIONS, type Migration, migrate } from '../../../src/ledger/postgres/database/migrate.ts';
import { openPostgresLedger } from '../../../src/ledger/postgres/open.ts';
import { change, credential, hold, version } from '../../conformance/ledger-rows.ts';
import { TestCa } from '../../fakes/ca.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { freshSigner } from './harness.ts';

let cluster: PostgresCluster;
let place: PostgresPlace;
let folder: string;
let ca: TestCa;
const { signer } = freshSigner();

beforeAll(async () => {
  ca = await TestCa.create();
  const server = await ca.server({ dns: ['localhost'], ip: [] });
  cluster = await PostgresCluster.start({ tls: server });
  folder = await mkdtemp(join(tmpdir(), 'keyturn-open-'));
  await writeFile(join(folder, 'ca.pem'), ca.certificatePem);
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  place = await cluster.database();
});

async function opensAndCommits(at: PostgresPlace): Promise<void> {
  const ledger = await openPostgresLedger({ place: at, signer });
  try {
    expect(await ledger.commit(change('a.change'))).toMatchObject({ committed: true });
  } finally {
    await ledger.close();
  }
}

async function refusal(at: PostgresPlace): Promise<unknown> {
  return openPostgresLedger({ place: at, signer }).then(
    (ledger) => ledger.close().then(() => 'was opened'),
    (error: unknown) => error,
  );
}

describe('the connection', () => {
  test('with a CA is over TLS, and the name of the server is verified', async () => {
    const named = { ...place, host: 'localhost', ca: join(folder, 'ca.pem') };
    await opensAndCommits(named);
    // The certificate is for the name alone.
    expect(await refusal({ ...named, host: '127.0.0.1' })).toMatchObject({ code: 'ledger_unavailable' });
  });

  test('with another CA is refused', async () => {
    const other = await TestCa.create();
    await writeFile(join(folder, 'other.pem'), other.certificatePem);
    const found = await refusal({ ...place, host: 'localhost', ca: join(folder, 'other.pem') });
    expect(found).toMatchObject({ code: 'ledger_unavailable' });
  });

  test('to another machine verifies the server, also without a CA of its own', () => {
    const config = clientConfig({ ...place, host: 'db.internal' }, { statement_timeout: 1 }, 1);
    expect(config.ssl).toMatchObject({ rejectUnauthorized: true, servername: 'db.internal' });
  });

  test('takes the password from a file that others can’t use, and from no other', async () => {
    await opensAndCommits(place);
    const file = join(folder, 'password');
    await writeFile(file, 'wrong\n', { mode: 0o600 });
    expect(await refusal({ ...place, passwordFile: file })).toMatchObject({
      message: expect.stringContaining('28P01'),
    });
    await chmod(file, 0o644);
    expect(await refusal({ ...place, passwordFile: file })).toMatchObject({ code: 'config_invalid' });
  });

  test('to a database that is not there says so', async () => {
    const found = await refusal({ ...place, database: 'nowhere' });
    expect(found).toMatchObject({ code: 'ledger_unavailable', message: expect.stringContaining('nowhere') });
  });

  test('commits durably also where the server’s default is less', async () => {
    await cluster.sql(`ALTER DATABASE ${place.database} SET synchronous_commit = off`);
    await cluster.sql('CREATE TABLE seen (setting text)', place.database);
    await cluster.sql(
      `CREATE SCHEMA keyturn; CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$`,
      place.database,
    );
    await opensAndCommits(place);
    await cluster.sql(
      'CREATE TRIGGER note AFTER INSERT ON keyturn.checkpoints EXECUTE FUNCTION note()',
      place.database,
    );
    await opensAndCommits(place);
    expect(await cluster.sql('SELECT DISTINCT setting FROM seen', place.database)).toEqual([{ setting: 'on' }]);
  });

  test('to a server that runs without fsync is refused', async () => {
    await using unsafe = await PostgresCluster.start({ settings: { fsync: 'off' } });
    const found = await refusal(await unsafe.database());
    expect(found).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('fsync off') });
  });

  test('by a key that is not the log’s is refused', async () => {
    await opensAndCommits(place);
    const found = await openPostgresLedger({ place, signer: freshSigner().signer }).catch((error: unknown) => error);
    expect(found).toMatchObject({ code: 'ledger_corrupt' });
  });
});

const EARLIER = MIGRATIONS.map((_, at) => at).filter((known) => known > 0);

async function migrated(schema: string, list: readonly Migration[], limitMs = 10_000): Promise<void> {
  const session = await Session.open(clientConfig({ ...place, schema }, { statement_timeout: limitMs }, 10_000));
  await migrate(session, schema, LogSigner.create(signer.origin, signer.privateKey), list);
  await session.end();
}

describe('a schema', () => {
  const later = (compatible: boolean): readonly Migration[] => [
    ...MIGRATIONS,
    { compatible, statements: (db) => [db.schema.createTable('later').addColumn('id', 'integer')] },
  ];

  test.each(EARLIER)('of %i migrations, with what it holds, is brought to the newest and goes on', async (known) => {
    const full = await openPostgresLedger({ place: { ...place, schema: 'full' }, signer });
    const row = version('a', 1);
    await full.commit(
      change('version.imported', {
        writes: [
          { insert: 'credentials', row: credential('a') },
          { insert: 'versions', row },
          { insert: 'holds', row: hold('h1') },
        ],
      }),
    );
    for (let n = 0; n < 9; n += 1) await full.commit(change('a.change'));
    const head = await full.head();
    await full.close();
    await migrated('old', MIGRATIONS.slice(0, known));
    await cluster.sql('DELETE FROM old.checkpoints; DELETE FROM old.head', place.database);
    for (const table of ['credentials', 'versions', 'holds', 'entries', 'tree_nodes', 'checkpoints']) {
      await cluster.sql(`INSERT INTO old.${table} SELECT * FROM "full".${table}`, place.database);
    }
    const needs = MIGRATIONS.slice(0, known).findLastIndex(({ compatible }) => !compatible) + 1;
    await cluster.sql(
      `INSERT INTO old.head SELECT id, size, frontier, time, behind, ${needs} FROM "full".head`,
      place.database,
    );
    const ledger = await openPostgresLedger({ place: { ...place, schema: 'old' }, signer });
    expect(await ledger.head()).toEqual(head);
    expect(await ledger.find('versions', {})).toEqual([row]);
    expect(await ledger.find('fences', {})).toEqual([]);
    expect(await ledger.commit(change('a.change', { receipt: { seen: 3 } }))).toMatchObject({ index: 10 });
    await ledger.close();
  });

  test('is made once by replicas that start together', async () => {
    const opened = await Promise.all(Array.from({ length: 4 }, () => openPostgresLedger({ place, signer })));
    for (const ledger of opened) await ledger.commit(change('a.change'));
    expect((await opened[0]?.head())?.size).toBe(4);
    await Promise.all(opened.map((ledger) => ledger.close()));
  });

  test('is changed for as long as that takes', async () => {
    await migrated('keyturn', MIGRATIONS);
    const sleep = { compile: () => ({ sql: 'SELECT pg_sleep(0.6)', parameters: [] }) };
    await migrated('keyturn', [...MIGRATIONS, { compatible: true, statements: () => [sleep as never] }], 300);
  });

  test('is not changed in the middle of a commit, which would wait for it in turn', async () => {
    await migrated('keyturn', MIGRATIONS);
    const commit = await Session.open(clientConfig(place, { statement_timeout: 10_000 }, 10_000));
    await commit.run({ sql: 'BEGIN' });
    await commit.run({ sql: 'SELECT 1 FROM head WHERE id = 1 FOR UPDATE' });
    await commit.run({ sql: "UPDATE credentials SET partner = ''" });
    const changed = migrated('keyturn', [
      ...MIGRATIONS,
      {
        compatible: true,
        statements: (db) => [
          db.schema.createIndex('one').on('versions').column('serial'),
          db.schema.createIndex('two').on('credentials').column('partner'),
        ],
      },
    ]);
    const waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while ((await cluster.sql(waits, place.database)).length === 0) await pause(20);
    await commit.run({ sql: "UPDATE versions SET serial = ''" });
    await commit.run({ sql: 'COMMIT' });
    await changed;
    await commit.end();
  });

  test('of a newer program is refused, unless that says that it is compatible', async () => {
    await migrated('newer', later(true));
    await opensAndCommits({ ...place, schema: 'newer' });
    await migrated('too_new', later(false));
    expect(await refusal({ ...place, schema: 'too_new' })).toMatchObject({
      code: 'ledger_corrupt',
      message: expect.stringContaining(`schema ${MIGRATIONS.length + 1}`),
    });
  });

  test.each([true, false])('that a newer program changes under a running one: compatible %s', async (compatible) => {
    const ledger = await openPostgresLedger({ place, signer });
    await ledger.commit(change('a.change'));
    await migrated('keyturn', later(compatible));
    if (compatible) expect(await ledger.commit(change('a.change'))).toMatchObject({ committed: true });
    else {
      await expect(ledger.commit(change('a.change'))).rejects.toMatchObject({ facts: { state: 'failed' } });
      expect(ledger.status().detail).toContain('this version knows');
    }
    await ledger.close();
  });
});

test('nobody gets the answer of another, whatever becomes of those who hear of a commit', async () => {
  let heard = 0;
  const onCheckpoint = () => {
    heard += 1;
    if (heard === 1) throw new Error('no');
  };
  const ledger = await openPostgresLedger({ place, signer, onCheckpoint });
  try {
    const first = ledger.commit(change('a.first'));
    await new Promise((resolve) => setImmediate(resolve));
    const second = ledger.commit(change('a.second'));
    expect(await first).toMatchObject({ committed: true, index: 0 });
    expect(await second).toMatchObject({ committed: true, index: 1 });
    expect(ledger.status()).toMatchObject({ state: 'ready', size: 2 });
  } finally {
    await ledger.close();
  }
});
