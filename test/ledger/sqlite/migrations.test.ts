import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { MIGRATIONS, migrate } from '../../../src/ledger/sqlite/database/schema.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { change, credential, hold, version } from '../../conformance/ledger-rows.ts';
import { freshPlace } from './place.ts';

const EARLIER = MIGRATIONS.map((_, at) => at).filter((known) => known > 0);

test.each(EARLIER)('a ledger of schema %i, with what it holds, is brought to the newest and goes on', async (known) => {
  const [full, old] = [await freshPlace(), await freshPlace()];
  try {
    const before = await openSqliteLedger(full);
    const row = version('a', 1);
    await before.commit(
      change('version.imported', {
        writes: [
          { insert: 'credentials', row: credential('a') },
          { insert: 'versions', row },
          { insert: 'holds', row: hold('h1') },
        ],
      }),
    );
    for (let n = 0; n < 9; n += 1) await before.commit(change('a.change'));
    const head = await before.head();
    await before.close();
    copyAs(known, full.path, old.path);
    const after = await openSqliteLedger({ ...full, path: old.path });
    expect(await after.head()).toEqual(head);
    expect(await after.find('versions', {})).toEqual([row]);
    expect(await after.find('fences', {})).toEqual([]);
    expect(await after.commit(change('a.change', { receipt: { seen: 3 } }))).toMatchObject({ index: 10 });
    await after.close();
  } finally {
    await full.remove();
    await old.remove();
  }
});

/** What a program that knew this many migrations would have written. */
function copyAs(known: number, from: string, to: string): void {
  const database = new DatabaseSync(to);
  migrate(database, MIGRATIONS.slice(0, known));
  database.prepare('ATTACH ? AS full').run(from);
  const tables = database.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'").all();
  database.exec('PRAGMA foreign_keys = OFF');
  for (const { name } of tables) {
    const columns = database.prepare('SELECT name FROM pragma_table_info(?)').all(String(name));
    const listed = columns.map((column) => String(column['name'])).join(', ');
    database.exec(`INSERT INTO main.${String(name)} (${listed}) SELECT ${listed} FROM full.${String(name)}`);
  }
  database.close();
  chmodSync(to, 0o600);
}
