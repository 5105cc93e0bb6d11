import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { DURABLE, OLDEST_VERSION } from '../connection/server.ts';
import type { Session } from '../connection/session.ts';

/** Greatest difference of clocks that goes without a word, milliseconds. */
const CLOCK_TOLERANCE_MS = 5000;

/** Which server it is: its version, its encoding, and whether it takes writes. */
export async function examineServer(session: Session): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
      current_setting('server_encoding') AS encoding, current_database() AS database,
      pg_catalog.pg_is_in_recovery() AS standby,
      extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8 AS behind`,
  });
  const { number, version, encoding, database, standby, behind } = rows[0] ?? {};
  const server = `PostgreSQL ${String(version)}`;
  if (Number(number) < OLDEST_VERSION) {
    const fix = 'Bring it to PostgreSQL 14 or newer: pg_upgrade, on Debian pg_upgradecluster.';
    return [broken('server', `${server} is too old`, fix)];
  }
  if (encoding !== 'UTF8') {
    return [
      broken(
        'server',
        `the database keeps text as ${String(encoding)}, not as UTF8`,
        `Make it anew: CREATE DATABASE ${String(database)} ENCODING 'UTF8' TEMPLATE template0;`,
      ),
    ];
  }
  if (standby === true) {
    const lag = typeof behind === 'number' ? `; its newest transaction is ${Math.round(behind)} s old` : '';
    return [
      broken(
        'server',
        `${server}, a standby (read replica): it takes no writes${lag}`,
        'Name the primary as ledger.postgres.host, or an address that follows it. If the primary is lost for good: SELECT pg_promote();',
      ),
    ];
  }
  return [ok('server', `${server}, takes writes`)];
}

/** Whether what it has answered outlives a crash. */
export async function examineDurability(session: Session): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
      current_setting('synchronous_commit') AS synchronous`,
  });
  const { fsync, pages, synchronous } = rows[0] ?? {};
  if (fsync !== 'on') {
    const evidence = 'fsync is off: a crash loses what the server has answered, and may break the database';
    return [broken('durability', evidence, 'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();')];
  }
  if (pages !== 'on') {
    return [
      attention(
        'durability',
        'full_page_writes is off: a crash in the middle of a page’s write breaks the database, unless its disk writes pages whole',
        'ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();',
      ),
    ];
  }
  const own = DURABLE.includes(String(synchronous)) ? '' : ' on the server, which Keyturn’s own sessions set to on';
  return [ok('durability', `fsync on, full_page_writes on, synchronous_commit ${String(synchronous)}${own}`)];
}

/** Entries bear the database's time, and leases end by it. */
export async function examineClock(session: Session, now: () => number): Promise<Check[]> {
  const before = now();
  const { rows } = await session.run({ sql: 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS time' });
  const apart = Math.round(Number(rows[0]?.['time']) - (before + now()) / 2);
  if (Math.abs(apart) <= CLOCK_TOLERANCE_MS) return [ok('clock', `${Math.abs(apart)} ms from this machine’s`)];
  return [
    attention(
      'clock',
      `the server’s is ${Math.round(apart / 1000)} s from this machine’s, and entries bear the server’s time`,
      'Set both clocks by NTP: timedatectl set-ntp true',
    ),
  ];
}
