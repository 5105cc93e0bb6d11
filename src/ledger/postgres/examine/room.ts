import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { quoted } from '../connection/place.ts';
import { CONNECTIONS_OF_A_SERVER } from '../connection/pools.ts';
import type { Session } from '../connection/session.ts';

/** Whether there is room for the connections of one more server: of the whole, of the database and of the role. */
export async function examineRoom(session: Session): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT current_user AS role, current_database() AS database,
      current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - COALESCE(current_setting('reserved_connections', true)::int, 0) AS all,
      (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS used,
      (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS of_database,
      (SELECT numbackends FROM pg_catalog.pg_stat_database WHERE datname = current_database()) AS used_of_database,
      (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user) AS of_role,
      (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE usename = current_user) AS used_of_role`,
  });
  const row = rows[0] ?? {};
  const at = (name: string) => Number(row[name]);
  const [role, database] = [quoted(String(row['role'])), quoted(String(row['database']))];
  const limits = [
    {
      of: 'the server',
      all: at('all'),
      used: at('used'),
      fix: (wanted: number) => `ALTER SYSTEM SET max_connections = ${wanted + 10}; then restart PostgreSQL.`,
    },
    {
      of: `the database ${database}`,
      all: at('of_database'),
      used: at('used_of_database'),
      fix: (wanted: number) => `ALTER DATABASE ${database} CONNECTION LIMIT ${wanted};`,
    },
    {
      of: `the role ${role}`,
      all: at('of_role'),
      used: at('used_of_role'),
      fix: (wanted: number) => `ALTER ROLE ${role} CONNECTION LIMIT ${wanted};`,
    },
    // Below zero: no limit.
  ].filter(({ all }) => all >= 0);
  const found = limits.flatMap(({ of, all, used, fix }) => {
    // One of those in use is this very examination.
    const left = all - (used - 1);
    if (left >= CONNECTIONS_OF_A_SERVER) return [];
    const evidence = `${of} allows ${all} connections, ${left} are left; a server of Keyturn takes ${CONNECTIONS_OF_A_SERVER}`;
    const verdict = all < CONNECTIONS_OF_A_SERVER ? broken : attention;
    return [verdict('connections', evidence, fix(used + 3 * CONNECTIONS_OF_A_SERVER))];
  });
  if (found.length > 0) return found;
  return [
    ok('connections', `${at('used')} of ${at('all')} in use; a server of Keyturn takes ${CONNECTIONS_OF_A_SERVER}`),
  ];
}
