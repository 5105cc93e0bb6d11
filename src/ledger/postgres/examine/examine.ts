import { broken, type Check, ok, type Step, untilBroken } from '../../../core/check.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { clientConfig } from '../connection/client-config.ts';
import { nameOf, type PostgresPlace, schemaOf } from '../connection/place.ts';
import { Session } from '../connection/session.ts';
import { whyNotConnected } from '../connection/why.ts';
import { describe } from '../database/fault.ts';
import { examineRights } from './rights.ts';
import { examineRoom } from './room.ts';
import { examineSchema } from './schema.ts';
import { examineClock, examineDurability, examineServer } from './server.ts';
import { examineStandbys } from './standbys.ts';

const CONNECT_MS = 5000;
const STATEMENT_MS = 10_000;

export interface PostgresExamination {
  /** This machine's clock, milliseconds since the epoch. */
  readonly now?: () => number;
  /** What a standby may be behind without a word, milliseconds. Default 10,000. */
  readonly toleratedLagMs?: number;
  /** How long a connection may take, milliseconds. Default 5000. */
  readonly connectMs?: number;
}

/**
 * For doctor: everything that stands between this process and a working ledger, from the connection to the rights, to
 * the first thing that is broken. Changes nothing.
 */
export async function examinePostgres(
  place: PostgresPlace,
  { now = Date.now, toleratedLagMs, connectMs = CONNECT_MS }: PostgresExamination = {},
): Promise<Check[]> {
  const schema = schemaOf(place);
  let session: Session;
  try {
    session = await Session.open(clientConfig(place, { statement_timeout: STATEMENT_MS }, connectMs));
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    const { says, fix } = whyNotConnected(place, error);
    return [broken('connection', says, fix)];
  }
  try {
    const steps: readonly Step[] = [
      ['connection', () => examineConnection(session, place)],
      ['server', () => examineServer(session)],
      ['durability', () => examineDurability(session)],
      ['clock', () => examineClock(session, now)],
      ['rights', () => examineRights(session, schema)],
      ['schema', () => examineSchema(session, schema)],
      ['connections', () => examineRoom(session)],
      ['standbys', () => examineStandbys(session, toleratedLagMs)],
    ];
    return await untilBroken(steps.map(([name, look]) => [name, () => look().catch(unanswered)]));
  } finally {
    await session.end();
  }
}

/** In the middle of it: lost, or refused for a reason that none of the steps is about. */
function unanswered(error: unknown): never {
  if (error instanceof KeyturnError) throw error;
  throw new KeyturnError('ledger_unavailable', `The database did not answer: ${describe(error)}.`, {
    fix: 'Look at the server’s log, then run keyturn doctor again.',
  });
}

/** Who we are there, and what the server says of this connection's TLS. */
async function examineConnection(session: Session, place: PostgresPlace): Promise<Check[]> {
  const sql = 'SELECT ssl, version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()';
  const { rows } = await session.run({ sql });
  const tls = rows[0]?.['ssl'] === true ? `${String(rows[0]['version'])}, its certificate verified` : 'without TLS';
  return [ok('connection', `${nameOf(place)}, ${tls}`)];
}
