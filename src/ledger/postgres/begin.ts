import { KeyturnError } from '../../core/errors.ts';
import type { Ledger } from '../ledger.ts';
import { clientConfig } from './connection/client-config.ts';
import { nameOf, type PostgresPlace, quoted, schemaOf } from './connection/place.ts';
import { cannotConnect } from './connection/server.ts';
import { Session } from './connection/session.ts';
import { openPostgresLedger, type PostgresLedgerOptions } from './open.ts';

const CONNECT_MS = 10_000;
const LIMIT_MS = 60_000;

export interface BegunLedger {
  readonly ledger: Ledger;
  /** Takes back what was made in the database; the ledger must be closed. */
  readonly undo: () => Promise<void>;
}

/**
 * Begins a log in a schema that has no tables yet, or is not there.
 * @throws KeyturnError `conflict` for one that has; and as `openPostgresLedger`.
 */
export async function beginPostgresLedger(options: PostgresLedgerOptions): Promise<BegunLedger> {
  const { place } = options;
  const schema = quoted(schemaOf(place));
  const wasThere = await inDatabase(place, (session) => assertEmpty(session, place));
  const ledger = await openPostgresLedger(options);
  // It opened, so the log there is under our own new key: nobody else's is taken back.
  const undo = () =>
    inDatabase(place, async (session) => {
      if (!wasThere) return void (await session.run({ sql: `DROP SCHEMA ${schema} CASCADE` }));
      const tables = (await tablesOf(session, place)).map((name) => `${schema}.${quoted(name)}`);
      await session.run({ sql: `DROP TABLE ${tables.join(', ')}` });
    });
  return { ledger, undo };
}

/** Whether the schema is there. */
async function assertEmpty(session: Session, place: PostgresPlace): Promise<boolean> {
  const schema = schemaOf(place);
  const tables = await tablesOf(session, place);
  if (tables.length > 0) {
    throw new KeyturnError('conflict', `${nameOf(place)} holds tables in the schema ${schema} already.`, {
      fix: `Name another schema; or, if it is what a failed init left and of no use: DROP SCHEMA ${quoted(schema)} CASCADE;`,
    });
  }
  const { rows } = await session.run({
    sql: 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1',
    values: [schema],
  });
  return rows.length > 0;
}

async function tablesOf(session: Session, place: PostgresPlace): Promise<string[]> {
  const sql = 'SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = $1';
  return (await session.run({ sql, values: [schemaOf(place)] })).rows.map(({ name }) => String(name));
}

async function inDatabase<T>(place: PostgresPlace, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    const session = await Session.open(clientConfig(place, { statement_timeout: LIMIT_MS }, CONNECT_MS));
    try {
      return await work(session);
    } finally {
      await session.end();
    }
  } catch (error) {
    throw cannotConnect(place, error);
  }
}
