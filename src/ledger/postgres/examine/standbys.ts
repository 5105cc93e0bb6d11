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
export async function examineStandbys(session: Session): Promise<Check[]> {
  const { rows } = await session.run({
    sql: `SELECT application_name AS name, state, sync_state AS sync, current_user AS role,
      extract(epoch FROM replay_lag)::float8 * 1000 AS lag,
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
    ...rows.map(standby),
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

function standby({ name, state, sync, lag, octets }: Row): Check {
  const behind = typeof lag === 'number' ? Math.round(lag) : 0;
  const evidence = `${String(name)}: ${String(state)}, ${String(sync)}, ${behind} ms and ${Number(octets ?? 0)} bytes behind`;
  if (behind <= LAG_TOLERANCE_MS && Number(octets ?? 0) <= LAG_TOLERANCE_OCTETS) return ok('standby', evidence);
  return attention(
    'standby',
    evidence,
    'Look at its log, its disk and the network: SELECT * FROM pg_stat_replication;',
  );
}
