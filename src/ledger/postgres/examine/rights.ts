import { broken, type Check, ok } from '../../../core/check.ts';
import { quoted } from '../connection/place.ts';
import type { Session } from '../connection/session.ts';
import { MIGRATIONS } from '../database/migrate.ts';

/** The log's own tables, which grow and are never changed. */
const APPENDED = ['entries', 'tree_nodes', 'checkpoints', 'migrations'];

/** Every right that a server needs, held against those of the role; each that is missing with its GRANT. */
export async function examineRights(session: Session, schema: string): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT current_user AS role, current_database() AS database, n.oid IS NOT NULL AS made,
      has_database_privilege(current_database(), 'CREATE') AS may_make,
      COALESCE(has_schema_privilege(n.oid, 'USAGE'), false) AS usage,
      COALESCE(has_schema_privilege(n.oid, 'CREATE'), false) AS create
      FROM (VALUES (1)) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = $1`,
    values: [schema],
  });
  const { database, made, may_make: mayMake, usage, create } = rows[0] ?? {};
  const role = quoted(String(rows[0]?.['role']));
  if (made !== true) {
    if (mayMake === true) return [ok('rights', `may make the schema ${schema}`)];
    const how = `GRANT CREATE ON DATABASE ${quoted(String(database))} TO ${role};`;
    const orSchema = `or make it for it: CREATE SCHEMA ${quoted(schema)} AUTHORIZATION ${role};`;
    return [broken('rights', `the schema ${schema} is not there, and ${role} may not make it`, `${how} ${orSchema}`)];
  }
  if (usage !== true) {
    const fix = `GRANT USAGE ON SCHEMA ${quoted(schema)} TO ${role};`;
    return [broken('rights', `${role} may not use the schema ${schema}`, fix)];
  }
  const missing = await missingOnTables(session, schema, role);
  if (missing.length > 0) return missing;
  if (create === true || (await isNewest(session, schema))) return [ok('rights', `all that ${schema} needs`)];
  const evidence = `${role} may not make tables in ${schema}, and some are to be made`;
  return [broken('rights', evidence, `GRANT CREATE ON SCHEMA ${quoted(schema)} TO ${role};`)];
}

async function missingOnTables(session: Session, schema: string, role: string): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT c.relname AS name, array_agg(needed.verb ORDER BY needed.verb) AS rights
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $1
      JOIN unnest(ARRAY['INSERT', 'SELECT', 'UPDATE']) AS needed (verb)
        ON needed.verb <> 'UPDATE' OR c.relname <> ALL ($2::text[])
      WHERE c.relkind = 'r' AND NOT has_table_privilege(c.oid, needed.verb)
      GROUP BY c.relname ORDER BY c.relname`,
    values: [schema, APPENDED],
  });
  return rows.map(({ name, rights }) => {
    const listed = (rights as string[]).join(', ');
    const fix = `GRANT ${listed} ON ${quoted(schema)}.${quoted(String(name))} TO ${role};`;
    return broken('rights', `${role} lacks ${listed} on the table ${String(name)}`, fix);
  });
}

async function isNewest(session: Session, schema: string): Promise<boolean> {
  const at = `${quoted(schema)}.migrations`;
  const there = await session.run({ sql: 'SELECT to_regclass($1) IS NOT NULL AS made', values: [at] });
  if (there.rows[0]?.['made'] !== true) return false;
  const { rows } = await session.run({ sql: `SELECT count(*)::int AS done FROM ${at}` });
  return Number(rows[0]?.['done']) >= MIGRATIONS.length;
}
