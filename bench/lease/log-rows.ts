import { DatabaseSync } from 'node:sqlite';
import { clientConfig } from '../../src/ledger/postgres/connection/client-config.ts';
import type { PostgresPlace } from '../../src/ledger/postgres/connection/place.ts';
import { Session } from '../../src/ledger/postgres/connection/session.ts';

/** The rows of a ledger, read behind the server's back. */
export interface LogRows {
  /** The column `n` of the one row that a statement gives. */
  readonly number: (sql: string) => Promise<number>;
  readonly close: () => Promise<void>;
}

export function rowsOfFile(path: string): LogRows {
  const database = new DatabaseSync(path, { readOnly: true });
  return {
    number: async (sql) => Number(database.prepare(sql).get()?.['n']),
    close: async () => database.close(),
  };
}

export async function rowsOfDatabase(place: PostgresPlace): Promise<LogRows> {
  const session = await Session.open(clientConfig(place, { statement_timeout: 60_000 }, 10_000));
  return {
    number: async (sql) => Number((await session.run({ sql })).rows[0]?.['n']),
    close: () => session.end(),
  };
}
