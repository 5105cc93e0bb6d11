import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Check } from '../../../../src/core/check.ts';
import type { PostgresPlace } from '../../../../src/ledger/postgres/connection/place.ts';
import { MIGRATIONS } from '../../../../src/ledger/postgres/database/migrate.ts';
import { examinePostgres, type PostgresExamination } from '../../../../src/ledger/postgres/examine/examine.ts';
import { openPostgresLedger } from '../../../../src/ledger/postgres/open.ts';
import { TestCa } from '../../../fakes/ca.ts';
import { freePort } from '../../../fakes/openbao/free-port.ts';
import { PostgresCluster } from '../../../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../../../fakes/postgres/proxy.ts';
import { freshSigner } from '../harness.ts';

const PASSWORD = 'canary-password-5e884898da280471';
const { signer } = freshSigner();
let ca: TestCa;
let cluster: PostgresCluster;
let folder: string;
/** An empty database, and a role that owns nothing in it. */
let place: PostgresPlace;

beforeAll(async () => {
  ca = await TestCa.create();
  cluster = await PostgresCluster.start({ tls: await ca.server({ dns: ['localhost'], ip: [] }) });
  folder = await mkdtemp(join(tmpdir(), 'keyturn-examine-'));
  await writeFile(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), ca.certificatePem);
  await cluster.sql(`CREATE ROLE service LOGIN PASSWORD '${PASSWORD}'`);
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  place = { ...(await cluster.database()), user: 'service', passwordFile: join(folder, 'password') };
});

/** What is told; never the password. */
async function examined(at: PostgresPlace = place, options: PostgresExamination = {}): Promise<Check[]> {
  const found = await examinePostgres(at, options);
  expect(JSON.stringify(found)).not.toContain(PASSWORD);
  for (const { verdict, evidence, fix } of found) {
    expect(evidence).not.toBe('');
    expect(fix === '').toBe(verdict === 'ok');
  }
  return found;
}

/** The last thing that is told, which is what is broken. */
async function brokenAt(at: PostgresPlace = place, options: PostgresExamination = {}): Promise<Check | undefined> {
  const last = (await examined(at, options)).at(-1);
  expect(last?.verdict).toBe('broken');
  return last;
}

/** Does what a fix says, as the database's superuser. */
async function mend(fix: string, database = place.database): Promise<void> {
  const statements = fix.match(/(?:GRANT|ALTER|CREATE|SELECT pg_)[^;]*;/g) ?? [];
  expect(statements).not.toEqual([]);
  for (const statement of statements) await cluster.sql(statement, database);
}

async function mendUntil(verdict: Check['verdict'], name: string, fix: string): Promise<void> {
  await mend(fix);
  // A reload reaches new connections a moment later.
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await examined()).find((check) => check.name === name)?.verdict === verdict) return;
    await pause(20);
  }
  throw new Error(`${fix} did not mend ${name}`);
}

async function grantAll(): Promise<void> {
  await cluster.sql(`GRANT CREATE ON DATABASE ${place.database} TO service`);
}

async function opened(): Promise<void> {
  const ledger = await openPostgresLedger({ place, signer });
  await ledger.close();
}

test('a database in order is told as that, before its first start and after', async () => {
  await grantAll();
  const secure = { ...place, host: 'localhost', ca: join(folder, 'ca.pem') };
  const before = await examined(secure);
  expect(before.map(({ name, verdict }) => [name, verdict])).toEqual(
    ['connection', 'server', 'durability', 'clock', 'rights', 'schema', 'connections', 'standbys'].map((name) => [
      name,
      'ok',
    ]),
  );
  expect(before[0]?.evidence).toContain('TLSv1.3');
  expect(before[5]?.evidence).toContain('first start');
  await opened();
  const after = await examined();
  expect(after.every(({ verdict }) => verdict === 'ok')).toBe(true);
  expect(after[0]?.evidence).toContain('without TLS');
  expect(after[5]?.evidence).toContain(`version ${MIGRATIONS.length}`);
});

describe('no connection, because', () => {
  test('nobody listens', async () => {
    const port = await freePort();
    expect(await brokenAt({ ...place, port })).toMatchObject({
      name: 'connection',
      evidence: expect.stringContaining(`nobody listens on 127.0.0.1:${port}`),
      fix: expect.stringContaining('systemctl start postgresql'),
    });
    const socket = await brokenAt({ ...place, host: folder });
    expect(socket?.evidence).toContain(`nobody listens on ${folder}/.s.PGSQL.`);
  });

  test('the name is not known', async () => {
    expect(await brokenAt({ ...place, host: 'no-such-host.invalid' })).toMatchObject({
      evidence: expect.stringContaining('no-such-host.invalid is not known'),
      fix: expect.stringContaining('getent hosts'),
    });
  });

  test('somebody else has the port', async () => {
    const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => void other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    expect((await brokenAt({ ...place, port }))?.evidence).toContain('ended the connection');
    other.close();
  });

  test('nothing comes back', async () => {
    await using proxy = await PostgresProxy.start(cluster.port);
    proxy.silence(true);
    const silent = await brokenAt({ ...place, port: proxy.port }, { connectMs: 500 });
    expect(silent?.evidence).toContain('does not answer');
  });

  test('the password is wrong, missing or open to others, or the role is not there', async () => {
    const file = join(folder, 'wrong');
    await writeFile(file, 'wrong\n', { mode: 0o600 });
    const wrong = await brokenAt({ ...place, passwordFile: file });
    expect(wrong).toMatchObject({ evidence: expect.stringContaining('28P01'), fix: expect.stringContaining(file) });
    expect((await brokenAt({ ...place, user: 'nobody' }))?.evidence).toContain('there is no such role');
    const { passwordFile: _, ...without } = place;
    expect((await brokenAt(without))?.fix).toContain('ledger.postgres.password-file');
    await chmod(file, 0o644);
    await expect(examined({ ...place, passwordFile: file })).rejects.toMatchObject({
      code: 'config_invalid',
      fix: expect.stringContaining('chmod 600'),
    });
  });

  test('the database is missing; it is made as the fix says', async () => {
    const at = { ...place, database: 'not-yet' };
    const { evidence = '', fix = '' } = (await brokenAt(at)) ?? {};
    expect(evidence).toContain('there is no database not-yet');
    await mend(fix, 'postgres');
    expect((await examined(at)).every(({ verdict }) => verdict === 'ok')).toBe(true);
  });

  test('the role may not log in or connect', async () => {
    await cluster.sql(`REVOKE CONNECT ON DATABASE ${place.database} FROM PUBLIC`);
    await mend((await brokenAt())?.fix ?? '');
    await cluster.sql('ALTER ROLE service NOLOGIN');
    await mend((await brokenAt())?.fix ?? '');
    expect((await examined())[0]?.verdict).toBe('ok');
  });

  test('the role has no connection left', async () => {
    await cluster.sql('ALTER ROLE service CONNECTION LIMIT 0');
    expect((await brokenAt())?.evidence).toContain('connections are taken');
    await cluster.sql('ALTER ROLE service CONNECTION LIMIT -1');
  });

  test('pg_hba.conf says so: no entry, TLS alone, or a client certificate', async () => {
    await using other = await PostgresCluster.start({ tls: await ca.server({ dns: ['localhost'], ip: [] }) });
    const at = await other.database();
    const admitted = async (rules: readonly string[], over: Partial<PostgresPlace> = {}) => {
      await other.admit(rules);
      await pause(300);
      return (await examined({ ...at, ...over }))[0];
    };
    const secure = { host: 'localhost', ca: join(folder, 'ca.pem') };
    const tlsAlone = ['hostssl all keyturn all scram-sha-256'];
    const plain = await admitted(tlsAlone);
    expect(plain).toMatchObject({ verdict: 'broken', fix: expect.stringContaining('ledger.postgres.ca') });
    expect(plain?.evidence).toContain('without TLS');
    expect(await admitted(tlsAlone, secure)).toMatchObject({ verdict: 'ok' });
    expect(await admitted(['hostssl elsewhere keyturn all scram-sha-256'], secure)).toMatchObject({
      evidence: expect.stringContaining('pg_hba.conf'),
      fix: expect.stringContaining(`hostssl ${at.database} keyturn`),
    });
    expect((await admitted(['hostssl all keyturn all scram-sha-256 clientcert=verify-ca'], secure))?.evidence).not.toBe(
      '',
    );
  });
});

describe('TLS', () => {
  test('with another CA, another name, or none on the server', async () => {
    const other = await TestCa.create();
    await writeFile(join(folder, 'other.pem'), other.certificatePem);
    const wrongCa = await brokenAt({ ...place, host: 'localhost', ca: join(folder, 'other.pem') });
    expect(wrongCa?.evidence).toContain(`trusted root (${join(folder, 'other.pem')})`);
    expect(wrongCa?.fix).toContain('openssl s_client -starttls postgres');
    const wrongName = await brokenAt({ ...place, host: '127.0.0.1', ca: join(folder, 'ca.pem') });
    expect(wrongName?.evidence).toContain('not for 127.0.0.1');
    await using plain = await PostgresCluster.start();
    const off = await brokenAt({ ...(await plain.database()), host: 'localhost', ca: join(folder, 'ca.pem') });
    expect(off).toMatchObject({
      evidence: expect.stringContaining('the server has no TLS'),
      fix: expect.stringContaining('SET ssl = on'),
    });
  });

  test('with a certificate that has ended', async () => {
    const past = { notBefore: new Date(Date.now() - 9e8), notAfter: new Date(Date.now() - 1e8) };
    await using expired = await PostgresCluster.start({ tls: await ca.server({ dns: ['localhost'], ...past }) });
    const found = await brokenAt({ ...(await expired.database()), host: 'localhost', ca: join(folder, 'ca.pem') });
    expect(found?.evidence).toContain('not valid now');
  });
});

describe('the server', () => {
  test('of an old version is told', async () => {
    const [row] = await cluster.sql('SHOW server_version_num');
    await using proxy = await PostgresProxy.start(cluster.port);
    proxy.rewrite(String(row?.['server_version_num']), '130021');
    expect(await brokenAt({ ...place, port: proxy.port })).toMatchObject({
      name: 'server',
      fix: expect.stringContaining('PostgreSQL 14'),
    });
  });

  test('with another encoding is told', async () => {
    await cluster.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    expect(await brokenAt({ ...place, database: 'latin' })).toMatchObject({
      evidence: expect.stringContaining('LATIN1'),
      fix: expect.stringContaining("ENCODING 'UTF8'"),
    });
  });

  test('that loses what it has answered is told, and mended by the fix', async () => {
    await grantAll();
    for (const [setting, verdict] of [
      ['fsync', 'broken'],
      ['full_page_writes', 'attention'],
    ] as const) {
      await mendUntil(verdict, 'durability', `ALTER SYSTEM SET ${setting} = off; SELECT pg_reload_conf();`);
      const found = (await examined()).find(({ name }) => name === 'durability');
      expect(found?.evidence).toContain(`${setting} is off`);
      await mendUntil('ok', 'durability', found?.fix ?? '');
    }
    await cluster.sql(`ALTER DATABASE ${place.database} SET synchronous_commit = off`);
    const own = (await examined()).find(({ name }) => name === 'durability');
    expect(own?.evidence).toContain('synchronous_commit off on the server, which Keyturn’s own sessions set to on');
  });

  test('whose clock is another is told', async () => {
    await grantAll();
    const ahead = await examined(place, { now: () => Date.now() + 7000 });
    expect(ahead.find(({ name }) => name === 'clock')).toMatchObject({
      verdict: 'attention',
      evidence: expect.stringContaining('-7 s'),
      fix: expect.stringContaining('timedatectl'),
    });
  });
});

describe('rights', () => {
  test('that are missing are told one by one, and what the fixes grant is enough for a server', async () => {
    expect((await brokenAt())?.fix).toContain(`GRANT CREATE ON DATABASE "${place.database}" TO "service"`);
    await cluster.sql('CREATE SCHEMA keyturn', place.database);
    for (const right of ['USAGE', 'CREATE']) {
      const { name, fix = '' } = (await brokenAt()) ?? {};
      expect([name, fix]).toEqual(['rights', `GRANT ${right} ON SCHEMA "keyturn" TO "service";`]);
      await mend(fix);
    }
    await opened();
    // Another role made the tables, and gave this one nothing.
    await cluster.sql('ALTER SCHEMA keyturn RENAME TO made; REVOKE ALL ON SCHEMA made FROM service', place.database);
    place = { ...place, schema: 'made' };
    const tables = await cluster.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'made'", place.database);
    for (const { tablename } of tables) {
      await cluster.sql(`ALTER TABLE made."${String(tablename)}" OWNER TO keyturn`, place.database);
    }
    await mend((await brokenAt())?.fix ?? '');
    const missing = (await examined()).filter(({ verdict }) => verdict === 'broken');
    expect(missing).toHaveLength(tables.length);
    expect(missing.map(({ fix }) => fix)).toContain('GRANT INSERT, SELECT ON "made"."entries" TO "service";');
    for (const { fix } of missing) await mend(fix);
    expect((await examined()).every(({ verdict }) => verdict === 'ok')).toBe(true);
    const ledger = await openPostgresLedger({ place, signer });
    expect(
      await ledger.commit({
        writes: [{ put: 'stores', row: { store: 'file', generation: 1, digest: 'aa' } }],
        entry: { kind: 'a.change', actor: 'system', data: {} },
      }),
    ).toMatchObject({ committed: true });
    await ledger.withFence(['one'], 'wait', () => Promise.resolve());
    await ledger.close();
  });
});

describe('the schema', () => {
  test.each([
    ['older', 'DELETE FROM keyturn.migrations WHERE number = 3', 'attention', 'next start'],
    ['newer, compatible', 'INSERT INTO keyturn.migrations VALUES (90, true)', 'attention', 'can go on'],
    ['newer', 'INSERT INTO keyturn.migrations VALUES (90, false)', 'broken', "can't go on"],
  ])('that is %s is told', async (_, sql, verdict, words) => {
    await grantAll();
    await opened();
    await cluster.sql(sql, place.database);
    // More than one, so that the number is past what this program knows.
    if (words !== 'next start')
      await cluster.sql(
        `INSERT INTO keyturn.migrations SELECT 91, compatible FROM keyturn.migrations WHERE number = 90`,
        place.database,
      );
    const found = (await examined()).find(({ name }) => name === 'schema');
    expect(found?.verdict).toBe(verdict);
    expect(found?.evidence).toContain(words);
  });
});

test('too few connections for one more server are told, whoever limits them', async () => {
  await grantAll();
  await cluster.sql(`ALTER DATABASE ${place.database} CONNECTION LIMIT 12`);
  await cluster.sql('ALTER ROLE service CONNECTION LIMIT 4');
  const held = await openPostgresLedger({
    place: { ...place, user: 'keyturn', passwordFile: cluster.passwordFile, schema: 'of_another' },
    signer,
  });
  try {
    const found = (await examined()).filter(({ name }) => name === 'connections');
    expect(found.map(({ verdict, evidence }) => [verdict, evidence.split(' allows')[0]])).toEqual([
      ['broken', 'the role "service"'],
    ]);
    for (const { fix } of found) await mend(fix);
    expect((await examined()).find(({ name }) => name === 'connections')?.verdict).toBe('ok');
  } finally {
    await held.close();
    await cluster.sql('ALTER ROLE service CONNECTION LIMIT -1');
  }
  await using small = await PostgresCluster.start({ settings: { max_connections: '12' } });
  const found = await examined(await small.database());
  expect(found.find(({ name }) => name === 'connections')).toMatchObject({
    verdict: 'broken',
    fix: expect.stringContaining('max_connections'),
  });
});

test('a standby is told from a primary, on both sides, and what a failover would lose', {
  timeout: 60_000,
}, async () => {
  const own = cluster;
  await using primary = await PostgresCluster.start();
  const at = await primary.database();
  await using standby = await PostgresCluster.start({ standbyOf: primary, settings: { cluster_name: 'second' } });
  const replica = await brokenAt({ ...at, port: standby.port });
  expect(replica).toMatchObject({ name: 'server', evidence: expect.stringContaining('standby (read replica)') });
  expect(replica?.fix).toContain('Name the primary');

  const follows = async () => (await examined(at)).filter(({ name }) => name.startsWith('standby'));
  while ((await follows())[0]?.name !== 'standby') await pause(50);
  const [one, none] = await follows();
  expect(one).toMatchObject({ verdict: 'ok', evidence: expect.stringContaining('second: streaming, async') });
  expect(none).toMatchObject({ verdict: 'attention', evidence: expect.stringContaining('none is synchronous') });

  await primary.sql(`CREATE ROLE service LOGIN PASSWORD '${PASSWORD}'`);
  await primary.sql(`GRANT CREATE ON DATABASE ${at.database} TO service`);
  const service = { ...at, user: 'service', passwordFile: join(folder, 'password') };
  expect((await examined(service)).at(-1)?.fix).toBe('GRANT pg_monitor TO "service";');

  try {
    cluster = primary;
    await mend(none?.fix ?? '', at.database);
  } finally {
    cluster = own;
  }
  while ((await follows()).length !== 1) await pause(50);
  expect((await follows())[0]?.evidence).toMatch(/second: streaming, (?:sync|quorum)/);
  await standby.sql('SELECT pg_wal_replay_pause()');
  const late = async () => (await examined(at, { toleratedLagMs: 1000 })).find(({ name }) => name === 'standby');
  await primary.sql('CREATE TABLE little (a int)');
  // The standby tells of its lag as it takes more; when nothing more comes, it is its silence that tells.
  while ((await late())?.verdict !== 'attention') await pause(50);
  expect((await late())?.evidence).toMatch(/(?:sync|quorum), \d{4} ms and \d+ bytes behind/);
  await standby.sql('SELECT pg_wal_replay_resume()');
  // Returns when it has said that it replayed this.
  await primary.sql('SET synchronous_commit = remote_apply; INSERT INTO little VALUES (1)');
  while ((await late())?.verdict !== 'ok') await pause(50);
  expect((await late())?.evidence).toContain('0 ms and 0 bytes behind');
  await standby.sql('SELECT pg_wal_replay_pause()');
  await primary.sql(
    "SET synchronous_commit = local; CREATE TABLE much AS SELECT repeat('x', 900) FROM generate_series(1, 90000)",
  );
  while ((await follows())[0]?.verdict !== 'attention') await pause(50);
  expect((await follows())[0]?.evidence).toMatch(/\d{8} bytes behind/);
  await standby.stop();
  while ((await follows())[0]?.verdict !== 'broken') await pause(50);
  expect((await follows())[0]?.evidence).toContain('commits wait');
});
