import type { LogVerifier } from '../../../audit/checkpoint.ts';
import { verifyConsistency } from '../../../audit/merkle.ts';
import { consistencyPath } from '../../../audit/tree.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { LogEnd } from '../../log/log-tail.ts';
import { checkHead, corrupt } from '../../log/self-check.ts';
import type { Statement } from '../../sql/statement.ts';
import { type Answer, answered, type Query, type Session } from '../connection/session.ts';
import { type KnownLog, logEnd, newestCheckpoint } from '../database/check-log.ts';
import { isOwnFault } from '../database/fault.ts';
import { assertKnown, MIGRATIONS } from '../database/migrate.ts';
import type { Tree } from '../database/tree.ts';

/**
 * The clock is read when the lock is there: a target list beside FOR UPDATE would be evaluated before the wait, and an
 * expiry be judged by a clock that has gone on.
 */
const LOCK_HEAD = `WITH locked AS MATERIALIZED (
    SELECT size, frontier, time, behind, needs FROM head WHERE id = 1 FOR UPDATE
  )
  SELECT locked.*, floor(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint AS now FROM locked`;

export interface LockedHead {
  readonly known: KnownLog;
  /** The database's wall clock. */
  readonly now: number;
  /** Of the questions; null when one of them was refused. */
  readonly answers: readonly Answer[] | null;
}

export interface HeadKnowledge {
  /** From this process's own transactions. */
  readonly known: KnownLog;
  /** The largest size that this process knows of, with no proof yet. */
  readonly heard: () => number;
  readonly verifier: LogVerifier;
  readonly tree: Tree;
}

/** What comes after it can be undone while the head stays locked. */
const SAVE: Query = { sql: 'SAVEPOINT locked' };
const UNDO: Query = { sql: 'ROLLBACK TO SAVEPOINT locked' };

/** Puts the transaction back to where the head was just locked, whatever has failed in it since. */
export async function undoAll(session: Session): Promise<void> {
  await session.run(UNDO);
}

/**
 * Begins the transaction and takes the head, so that all that any replica committed before is seen, and nobody commits
 * until this transaction ends. When another replica has moved the head, it must be one that our key signed and whose
 * log continues the one that this process knows. The questions are asked when the head is locked, on the same way.
 * @throws KeyturnError `ledger_corrupt` when it does not.
 */
export async function lockHead(
  session: Session,
  { known, verifier, tree, heard }: HeadKnowledge,
  questions: readonly Statement[],
): Promise<LockedHead> {
  const [, locked, , ...asked] = await session.together([{ sql: 'BEGIN' }, { sql: LOCK_HEAD }, SAVE, ...questions]);
  const row = answered(locked).rows[0];
  assertKnown('that is newer', Number(row?.['needs']), MIGRATIONS.length);
  const end = logEnd(row);
  const now = Number(row?.['now']);
  // Nobody appends while the lock is held, so what was heard of by now was committed before.
  assertForward(heard(), end.frontier.size);
  const answers = await answersOrUndone(session, asked);
  if (isSame(end, known.end)) return { known: { ...known, end }, now, answers };
  const head = await newestCheckpoint(session);
  const { generation } = checkHead(end.frontier, head, verifier);
  await assertContinues(session, tree, known.end, end);
  return { known: { end, head: head ?? known.head, generation }, now, answers };
}

/** What was asked under the lock; null when one was refused, with all undone to where the lock was taken. */
export async function answersOrUndone(
  session: Session,
  asked: readonly PromiseSettledResult<Answer>[],
): Promise<Answer[] | null> {
  try {
    return asked.map(answered);
  } catch (error) {
    if (!isOwnFault(error)) throw error;
    await undoAll(session);
    return null;
  }
}

function isSame(one: LogEnd, other: LogEnd): boolean {
  return one.frontier.size === other.frontier.size && one.frontier.root().equals(other.frontier.root());
}

function assertForward(from: number, to: number): void {
  if (to < from) throw corrupt(`it went back from ${from} entries to ${to}, as after a failover that lost commits`);
}

async function assertContinues(session: Session, tree: Tree, before: LogEnd, after: LogEnd): Promise<void> {
  const [from, to] = [before.frontier.size, after.frontier.size];
  assertForward(from, to);
  const run = (query: Parameters<Session['run']>[0]) => session.run(query);
  const path = await tree.prove(run, (nodes) => consistencyPath(nodes, from, to));
  const claim = { from, to, fromRoot: before.frontier.root(), toRoot: after.frontier.root(), path };
  if (!verifyConsistency(claim)) {
    throw new KeyturnError('ledger_corrupt', `The ledger's ${to} entries do not continue the ${from} known here.`, {
      fix: 'Compare the replicas and the checkpoints kept outside: commits were lost, or the log was rewritten.',
    });
  }
}
