import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { quoted } from '../connection/place.ts';
import type { Row, Session } from '../connection/session.ts';

/** What a standby may be behind without a word. */
const LAG_TOLERANCE_MS = 10_000;
const LAG_TOLERANCE_OCTETS = 64 * 1024 * 1024;

/**
 * Standbys that follow this primary: whether a failover to one would lose entries, which ends the ledger of every server
 * that knows more.
 */
export async function examineStandbys(session: Session, toleratedMs = LAG_TOLERANCE_MS): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT application_name AS name, state, sync_state AS sync, current_user AS role,
      extract(epoch FROM replay_lag)::float8 * 1000 AS lag,
      extract(epoch FROM clock_timestamp() - reply_time)::float8 * 1000 AS silent,
      pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)::float8 AS octets
      FROM pg_catalog.pg_stat_replication`,
  });
  const settings = await session.run({ sql: "SELECT current_setting('synchronous_standby_names') AS names" });
  const names = String(settings.rows[0]?.['names']);
  // Names stand here for everybody, the rest for those alone who may read statistics.
  const hidden = rows.find(({ state }) => state === null);
  if (hidden !== undefined) {
    const fix = `GRANT pg_monitor TO ${quoted(String(hidden['role']))};`;
    return [attention('standbys', `${rows.length} follow; how far behind they are may not be read`, fix)];
  }
  if (names !== '' && !rows.some(({ sync }) => sync === 'sync' || sync === 'quorum')) {
    return [
      broken(
        'standbys',
        `commits wait for a standby of synchronous_standby_names = '${names}', and none is connected`,
        'Start the standby; or go on without: ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();',
      ),
    ];
  }
  if (rows.length === 0) return [ok('standbys', 'none follows')];
  const first = String(rows[0]?.['name']);
  return [
    ...rows.map((row) => standby(row, toleratedMs)),
    ...(names === ''
      ? [
          attention(
            'standbys',
            'none is synchronous: after a failover the newest entries may be missing, and servers that know them stop',
            `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${quoted(first)})'; SELECT pg_reload_conf();`,
          ),
        ]
      : []),
  ];
}

function standby(row: Row, toleratedMs: number): Check {
  const octets = Number(row['octets'] ?? 0);
  const behind = behindMs(row, octets);
  const evidence = `${String(row['name'])}: ${String(row['state'])}, ${String(row['sync'])}, ${behind} ms and ${octets} bytes behind`;
  if (behind <= toleratedMs && octets <= LAG_TOLERANCE_OCTETS) return ok('standby', evidence);
  return attention(
    'standby',
    evidence,
    'Look at its log, its disk and the network: SELECT * FROM pg_stat_replication;',
  );
}

/**
 * The lag stands as it was last measured: long after the standby has caught up, and while one that has stopped replaying
 * is told of nothing new. So one that has everything is not behind, and one that has not is so at least since it last
 * said anything.
 */
function behindMs({ lag, silent }: Row, octets: number): number {
  return octets <= 0 ? 0 : Math.round(Math.max(Number(lag ?? 0), Number(silent ?? 0)));
}
