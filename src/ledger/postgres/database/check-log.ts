import type { LogVerifier } from '../../../audit/checkpoint.ts';
import { TreeFrontier } from '../../../audit/tree.ts';
import { frontierPlaces, unpackFrontier } from '../../log/frontier.ts';
import type { LogEnd } from '../../log/log-tail.ts';
import type { SignedHead } from '../../log/proof.ts';
import { signedHead } from '../../log/rows.ts';
import { checkHead, corrupt, ENTRY_COLUMNS, EntriesCheck } from '../../log/self-check.ts';
import { NEWEST_CHECKPOINT } from '../../sql/log.ts';
import type { Row, Session } from '../connection/session.ts';
import { Tree } from './tree.ts';

/** Entries that are read at a time. */
const PAGE = 1000;

/** Where the log ends, with the head that was signed there. */
export interface KnownLog {
  readonly end: LogEnd;
  readonly head: SignedHead;
  /** Of the log, as that checkpoint says. */
  readonly generation: number;
}

/**
 * Compares head, newest checkpoint and the newest `recheck` entries, all as of one moment.
 * @throws KeyturnError `ledger_corrupt` saying what does not fit.
 */
export async function checkLog(session: Session, verifier: LogVerifier, recheck: number): Promise<KnownLog> {
  await session.run({ sql: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' });
  const known = await checkLogInside(session, verifier, recheck);
  await session.run({ sql: 'COMMIT' });
  return known;
}

/** The same in the transaction that the session is in. */
export async function checkLogInside(session: Session, verifier: LogVerifier, recheck: number): Promise<KnownLog> {
  const { rows } = await session.run({ sql: 'SELECT size, frontier, time, behind FROM head WHERE id = 1' });
  const end = logEnd(rows[0]);
  const head = await newestCheckpoint(session);
  const { generation } = checkHead(end.frontier, head, verifier);
  await checkEntries(session, end.frontier, Math.max(0, end.frontier.size - recheck));
  return { end, head: head ?? { size: 0, checkpoint: '' }, generation };
}

/** @throws KeyturnError `ledger_corrupt` when there is none. */
export function logEnd(row: Row | undefined): LogEnd {
  if (row === undefined || !(row['frontier'] instanceof Uint8Array)) throw corrupt('it has no head');
  const frontier = unpackFrontier(Number(row['size']), row['frontier']);
  return { frontier, time: Number(row['time']), behind: row['behind'] === true };
}

export async function newestCheckpoint(session: Session): Promise<SignedHead | null> {
  const { rows } = await session.run({ sql: NEWEST_CHECKPOINT });
  return rows[0] === undefined ? null : signedHead(rows[0]);
}

async function checkEntries(session: Session, head: TreeFrontier, from: number): Promise<void> {
  const places = frontierPlaces(from);
  const hashes = await new Tree().prove(
    (query) => session.run(query),
    (nodes) => places.map(({ level, index }) => nodes.node(level, index)),
  );
  const check = new EntriesCheck(TreeFrontier.restore(from, hashes));
  for (let at = from; ; at += PAGE) {
    const sql = `SELECT ${ENTRY_COLUMNS} FROM entries WHERE idx >= $1 ORDER BY idx LIMIT $2`;
    const { rows } = await session.run({ sql, values: [at, PAGE] });
    for (const row of rows) check.add(row);
    if (rows.length < PAGE) break;
  }
  check.assertLeadsTo(head);
}
