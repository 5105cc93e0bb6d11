import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { canSnapshot } from '../../../src/ledger/snapshot.ts';
import { columnsOf, keyOf, TABLES } from '../../../src/ledger/sql/columns.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { change, credential, hold, lease, version } from '../../conformance/ledger-rows.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../../fakes/postgres/proxy.ts';
import { expectWhole } from './expect-whole.ts';
import { replicasOf } from './place.ts';

let cluster: PostgresCluster;
let folder: string;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
  folder = await mkdtemp(join(tmpdir(), 'keyturn-snapshot-'));
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function copied(ledger: Ledger, path: string) {
  if (!canSnapshot(ledger)) throw new Error('it cannot copy itself');
  return ledger.snapshot(path);
}

function add(ledger: Ledger, name: string) {
  return ledger.commit({
    writes: [{ insert: 'stores', row: { store: name, generation: 1, digest: 'é"\\\n' } }],
    entry: { kind: 'store.seen', actor: 'system', credential: 'a', data: { name } },
  });
}

test('a copy made while two servers commit is one committed state, which the embedded ledger opens and goes on with', async () => {
  const replicas = replicasOf(await cluster.database());
  const [one, two] = [await replicas.open(), await replicas.open()];
  await one.commit(
    change('version.imported', {
      writes: [
        { insert: 'credentials', row: credential('a') },
        { insert: 'versions', row: version('a', 1, { certificate: 'é"\\\n' }) },
        { insert: 'holds', row: hold('h1', { lifted_at: 5 }) },
        { insert: 'leases', row: lease('l1', { credential: 'a', version: 1 }) },
      ],
    }),
  );
  for (let n = 0; n < 3000; n += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, at) => add(one, `before-${n + at}`)));
  }
  let copying = true;
  const load = [one, two].map(async (ledger, server) => {
    let added = 0;
    while (copying) await add(ledger, `${server}-${added++}`);
    return added;
  });
  const path = join(folder, 'copy.db');
  const head = await copied(one, path).finally(() => {
    copying = false;
  });
  // Neither was kept waiting.
  expect((await Promise.all(load)).every((added) => added > 2)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);

  const restored = await openSqliteLedger({ path, signer: replicas.signer, recheckEntries: Number.MAX_SAFE_INTEGER });
  try {
    expect(await restored.head()).toEqual(head);
    // Each entry but the first has its row.
    expect(await restored.find('stores', {}, { limit: 100_000 })).toHaveLength(head.size - 1);
    for (const table of TABLES.filter((each) => each !== 'fences' && each !== 'stores')) {
      const sql = `SELECT ${columnsOf(table).join(', ')} FROM keyturn.${table} ORDER BY ${keyOf(table).join(', ')}`;
      const rows = await cluster.sql(sql, replicas.place.database);
      const texts = (found: readonly object[]) =>
        found.map((row) => JSON.stringify(Object.entries(row).map(([name, value]) => [name, String(value)])));
      expect(texts(await restored.find(table, {})), table).toEqual(texts(rows));
    }
    expect(await restored.commit(change('a.change', { receipt: { seen: head.size } }))).toMatchObject({
      committed: true,
      index: head.size,
    });
    await expectWhole(restored, replicas.verifier);
  } finally {
    await restored.close();
    await replicas.close();
  }
});

test('a copy never takes the place of a file, and one that breaks off leaves the ledger ready', async () => {
  await using proxy = await PostgresProxy.start(cluster.port);
  const replicas = replicasOf(await cluster.database(proxy.port));
  const ledger = await replicas.open();
  const path = join(folder, 'taken.db');
  await copied(ledger, path);
  await expect(copied(ledger, path)).rejects.toMatchObject({ code: 'ledger_unavailable' });
  proxy.refuse(true);
  await expect(copied(ledger, join(folder, 'broken.db'))).rejects.toMatchObject({ code: 'ledger_unavailable' });
  proxy.refuse(false);
  expect(await add(ledger, 'after')).toMatchObject({ committed: true });
  await replicas.close();
  await expect(copied(ledger, join(folder, 'late.db'))).rejects.toMatchObject({ code: 'ledger_unavailable' });
});
