import type { LogSigner, LogVerifier } from '../../../audit/checkpoint.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { BatchAnswer } from '../../batch/answer.ts';
import { batchAnswer, type Settled, unchangedAnswer } from '../../batch/settled.ts';
import type { Change, Write } from '../../change.ts';
import { packFrontier } from '../../log/frontier.ts';
import { LogTail } from '../../log/log-tail.ts';
import type { SignedHead } from '../../log/proof.ts';
import { announce } from '../announcements.ts';
import { type Answer, answered, type Query, type Session } from '../connection/session.ts';
import type { KnownLog } from '../database/check-log.ts';
import { isOwnFault } from '../database/fault.ts';
import type { Tree } from '../database/tree.ts';
import { answersOrUndone, lockHead, undoAll } from './head.ts';
import { assertAllTouched, type Run, runsOf, statementsOf } from './many-changes.ts';
import { Changes } from './one-change.ts';

/** A batch over all its attempts. */
export interface Batch {
  /** Random; stands beside the checkpoint of the commit, so that it can be learnt whether there was one. */
  readonly id: string;
  readonly changes: readonly Change[];
  /** What the newest attempt that sent COMMIT will have led to, if it did commit. */
  sent: Prepared | null;
  /** False once its callers were told that it is open: they released nothing, so it is not tried again. */
  wanted: boolean;
}

/** All that is to be told and remembered once the commit is known to be durable. */
export interface Prepared {
  readonly answer: BatchAnswer;
  readonly known: KnownLog;
  readonly adopt: () => void;
  /** Whether there is anything to commit. */
  readonly appended: boolean;
}

export interface TransactionParts {
  readonly session: Session;
  readonly signer: LogSigner;
  readonly verifier: LogVerifier;
  /** The log goes on in this generation, or in that of its newest checkpoint when that is later. */
  readonly generation: number;
  readonly tree: Tree;
  /** The largest size of the log that this process knows of. */
  readonly heard: () => number;
  /** Where the log is; names the channel on which the commit is announced. */
  readonly schema: string;
  /** In place of the database's clock. */
  readonly clock: (() => number) | undefined;
}

const APPEND = `WITH new_entries AS (
    INSERT INTO entries (idx, time, kind, actor, credential, json, leaf)
    SELECT idx, $1, kind, actor, credential, json, leaf
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
      AS given (idx, kind, actor, credential, json, leaf)
  ), new_nodes AS (
    INSERT INTO tree_nodes (level, idx, hash) SELECT * FROM unnest($8::int[], $9::bigint[], $10::bytea[])
  ), new_checkpoint AS (
    INSERT INTO checkpoints (size, note, batch) VALUES ($11, $12, $13)
  )
  UPDATE head SET size = $11, frontier = $14, time = $1, behind = $15 WHERE id = 1 AND size = $16`;

const ROLLBACK: Query = { sql: 'ROLLBACK' };

/**
 * One attempt at a batch: many changes, one transaction. Nothing of it is known to anybody before it returns; an error
 * after COMMIT was sent leaves open whether it committed, which the next attempt finds out.
 * @throws KeyturnError `ledger_corrupt`, which is final; or the database's own error.
 */
export async function attemptBatch(parts: TransactionParts, batch: Batch, before: KnownLog): Promise<Prepared> {
  const { session, clock } = parts;
  const runs = runsOf(batch.changes);
  const questions = runs?.[0]?.questions ?? [];
  const first = batch.sent === null && batch.wanted ? questions : [];
  const { known, now, answers } = await lockHead(session, { ...parts, known: before }, first);
  if (batch.sent !== null && (await isCommitted(session, batch))) {
    await commit(session);
    return { ...batch.sent, known };
  }
  const asked = batch.sent === null ? answers : await answersOrUndone(session, await session.together(questions));
  batch.sent = null;
  if (!batch.wanted || batch.changes.length === 0) {
    await commit(session);
    return unchanged(known);
  }
  const generation = Math.max(parts.generation, known.generation);
  const writing = { ...parts, generation, batch, known, now: clock?.() ?? now };
  const atOnce = runs === null || asked === null ? null : await writeAtOnce(writing, runs, asked);
  const prepared = atOnce ?? (await writeInTurn(writing));
  if (!prepared.appended || !batch.wanted) {
    await session.run(ROLLBACK);
    return prepared.appended ? unchanged(known) : prepared;
  }
  batch.sent = prepared;
  await commit(session);
  return prepared;
}

interface Writing extends TransactionParts {
  readonly batch: Batch;
  readonly known: KnownLog;
  readonly now: number;
}

/**
 * The questions of each run, then its writes, those of the last one on their way with what is appended. Null when
 * anything goes wrong with any change: then all is undone, and they must come in turn.
 */
async function writeAtOnce(writing: Writing, runs: readonly Run[], first: readonly Answer[]): Promise<Prepared | null> {
  const { session, known, now } = writing;
  const tail = new LogTail(known.end, now);
  try {
    const settled: Settled[] = [];
    let owed: readonly Write[] = [];
    for (const [at, run] of runs.entries()) {
      if (at > 0) assertAllTouched(owed, await together(session, statementsOf(owed)));
      const decided = run.decide(at === 0 ? first : await together(session, run.questions), tail, now);
      settled.push(...decided.settled);
      owed = decided.writes;
    }
    return await prepare(writing, tail, settled, owed);
  } catch (error) {
    // What is nobody's own fault meets those that come in turn as well.
    if (!isOwnFault(error)) throw error;
    await undoAll(session);
    return null;
  }
}

async function writeInTurn(writing: Writing): Promise<Prepared> {
  const { session, batch, known, now } = writing;
  const tail = new LogTail(known.end, now);
  const each = new Changes(session, tail, now);
  const settled: Settled[] = [];
  for (const change of batch.changes) settled.push(await each.settle(change));
  await each.finish();
  return prepare(writing, tail, settled, []);
}

async function together(session: Session, queries: readonly Query[]): Promise<Answer[]> {
  return (await session.together(queries)).map(answered);
}

/**
 * Returns when all that this transaction wrote, or found written by others, is durable on this side and on that of each
 * synchronous standby. Found is not enough: what a commit waited with for a standby is visible without it once the wait
 * was cut short, by a restart or by a person. The head's lock is written too, so a commit that appended nothing waits as
 * well, and for all before it.
 */
async function commit(session: Session): Promise<void> {
  const { warnings } = session;
  const { command } = await session.run({ sql: 'COMMIT' });
  // PostgreSQL answers a COMMIT of a transaction that failed with ROLLBACK, and no error.
  if (command !== 'COMMIT') throw new KeyturnError('ledger_unavailable', 'The database rolled a commit back.');
  // And one whose wait for a standby was cancelled with COMMIT, and a warning.
  if (session.warnings === warnings) return;
  throw new KeyturnError('ledger_unavailable', 'The database committed, and did not wait for its standby.');
}

/** Nothing was appended; what was learnt about the head is kept. */
function unchanged(known: KnownLog): Prepared {
  const answer = { size: known.head.size, checkpoint: null, results: [] };
  return { answer, known, adopt: () => undefined, appended: false };
}

/**
 * With the head locked this is final: an earlier attempt that still ran would hold that lock, and one that has not
 * sent COMMIT yet never will.
 */
async function isCommitted(session: Session, { id }: Batch): Promise<boolean> {
  const { rows } = await session.run({ sql: 'SELECT size FROM checkpoints WHERE batch = $1', values: [id] });
  return rows.length > 0;
}

/** Writes what the batch appends and makes its answer, proofs included, so that nothing is left to do after COMMIT. */
async function prepare(
  { session, signer, tree, generation, schema, batch, known }: Writing,
  tail: LogTail,
  settled: readonly Settled[],
  owed: readonly Write[],
): Promise<Prepared> {
  if (tail.isEmpty) return { ...unchanged(known), answer: unchangedAnswer(settled, tail) };
  const head = tail.sign(signer.ofGeneration(generation));
  const append = { sql: APPEND, values: rowsOf(tail, head, batch.id) };
  const answers = await session.together([...statementsOf(owed), append, announce(schema, head.size)]);
  assertAllTouched(owed, answers.slice(0, owed.length).map(answered));
  const [appended, announced] = answers.slice(owed.length);
  if (answered(appended).rowCount !== 1) {
    throw new KeyturnError('ledger_corrupt', `The head of the log is not at ${tail.before} any more.`, {
      fix: 'Find out what else writes to the ledger’s database, stop it, and start again.',
    });
  }
  answered(announced);
  const answer = await tree.prove(
    (query) => session.run(query),
    (nodes) => batchAnswer(settled, batch.changes, { head, time: tail.time }, nodes),
    tail.nodes,
  );
  return {
    answer,
    known: { end: tail.end(), head, generation },
    adopt: () => tree.adopt(tail.nodes),
    appended: true,
  };
}

function rowsOf(tail: LogTail, head: SignedHead, id: string): readonly unknown[] {
  const { frontier, time, behind } = tail.end();
  const entries = tail.entries.map(({ entry, json, leafHash }) => ({ ...entry, json, leafHash }));
  const inner = tail.nodes.filter(({ level }) => level > 0);
  return [
    time,
    entries.map(({ index }) => index),
    entries.map(({ kind }) => kind),
    entries.map(({ actor }) => actor),
    entries.map(({ credential }) => credential ?? null),
    entries.map(({ json }) => json),
    entries.map(({ leafHash }) => leafHash),
    inner.map(({ level }) => level),
    inner.map(({ index }) => index),
    inner.map(({ hash }) => hash),
    head.size,
    head.checkpoint,
    id,
    packFrontier(frontier),
    behind,
    tail.before,
  ];
}
