import { KeyturnError } from '../../../core/errors.ts';
import { nameOf, type PostgresPlace } from './place.ts';
import type { Session } from './session.ts';
import { whyNotConnected } from './why.ts';

/** 14.0: the oldest that is still maintained. */
export const OLDEST_VERSION = 140_000;
/** A commit that returns is on the disk, and on that of synchronous standbys where there are such. */
export const DURABLE: readonly string[] = ['on', 'remote_apply'];

const FACTS = `SELECT current_setting('server_version_num')::int AS version,
  current_setting('server_encoding') AS encoding,
  current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous,
  pg_catalog.pg_is_in_recovery() AS standby`;

/**
 * Sees to it that what this session commits is durable.
 * @throws KeyturnError `config_invalid` for a server that would lose what it has answered, or is too old;
 * `ledger_unavailable` for a standby.
 */
export async function prepareForWriting(session: Session): Promise<void> {
  const { rows } = await session.run({ sql: FACTS });
  const { version, encoding, fsync, synchronous, standby } = rows[0] ?? {};
  if (Number(version) < OLDEST_VERSION) {
    throw refused('is older than PostgreSQL 14', 'Use PostgreSQL 14 or newer.');
  }
  if (encoding !== 'UTF8') throw refused('does not keep text as UTF-8', 'Make the database with ENCODING UTF8.');
  if (fsync !== 'on') {
    throw refused(
      'runs with fsync off, so a crash loses what it has answered',
      'Set fsync = on and reload the server.',
    );
  }
  if (standby !== false) {
    throw new KeyturnError('ledger_unavailable', 'The database is a standby and takes no writes.', {
      fix: 'Connect to the primary, or promote this one.',
    });
  }
  if (!DURABLE.includes(String(synchronous))) await session.run({ sql: 'SET synchronous_commit = on' });
}

function refused(what: string, fix: string): KeyturnError {
  return new KeyturnError('config_invalid', `The ledger's database server ${what}.`, { fix });
}

/** Why the database could not be used at the start, for people. */
export function cannotConnect(place: PostgresPlace, error: unknown): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const { says, fix } = whyNotConnected(place, error);
  return new KeyturnError('ledger_unavailable', `The ledger ${nameOf(place)} can't be opened: ${says}.`, { fix });
}
