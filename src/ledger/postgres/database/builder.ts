import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import type { Query } from '../connection/session.ts';

/** Builds statements for our own sessions to run; it has no connection. */
export const build = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

export type Builder = typeof build;

export function compiled(statement: { compile(): CompiledQuery }): Query {
  const { sql, parameters } = statement.compile();
  return { sql, values: parameters };
}
