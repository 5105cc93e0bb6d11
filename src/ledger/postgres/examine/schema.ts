import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { quoted } from '../connection/place.ts';
import type { Session } from '../connection/session.ts';
import { MIGRATIONS, neededBy } from '../database/migrate.ts';

const SAME = 'Run the same version of Keyturn on every server.';

/** The schema's version, held against the one that this program knows. */
export async function examineSchema(session: Session, schema: string): Promise<Check[]> {
  const at = `${quoted(schema)}.migrations`;
  const there = await session.run({ sql: 'SELECT to_regclass($1) IS NOT NULL AS made', values: [at] });
  if (there.rows[0]?.['made'] !== true) return [ok('schema', `${schema} is empty: the first start makes its tables`)];
  const { rows } = await session.run({ sql: `SELECT number, compatible FROM ${at} ORDER BY number` });
  const [done, known] = [rows.length, MIGRATIONS.length];
  if (neededBy(rows) > known) {
    const fix = `Start the version of Keyturn that brought it there, or a newer one. ${SAME}`;
    return [
      broken('schema', `${schema} has version ${done}; this program knows ${known} and can't go on with it`, fix),
    ];
  }
  if (done > known) {
    const evidence = `${schema} has version ${done}, of a newer Keyturn; this program knows ${known} and can go on`;
    return [attention('schema', evidence, SAME)];
  }
  if (done < known) {
    const evidence = `${schema} has version ${done} of ${known}; the next start of a server brings it there`;
    return [attention('schema', evidence, `Take a backup, then restart the server. ${SAME}`)];
  }
  return [ok('schema', `${schema}, version ${done}`)];
}
