import type { KeyObject } from 'node:crypto';
import type { ClientConfig } from 'pg';
import { LogSigner, LogVerifier } from '../../audit/checkpoint.ts';
import type { Clock } from '../../core/clock.ts';
import { CommitQueue } from '../batch/commit-queue.ts';
import { Health } from '../batch/health.ts';
import type { Ledger, LedgerStatus } from '../ledger.ts';
import { Followers } from '../log/followers.ts';
import { Announcements } from './announcements.ts';
import { Committer } from './commit/committer.ts';
import { clientConfig } from './connection/client-config.ts';
import { type PostgresPlace, schemaOf } from './connection/place.ts';
import { POOLS } from './connection/pools.ts';
import { cannotConnect, prepareForWriting } from './connection/server.ts';
import { Session, within } from './connection/session.ts';
import { checkLog, type KnownLog } from './database/check-log.ts';
import { migrate } from './database/migrate.ts';
import { Tree } from './database/tree.ts';
import { Fences } from './fences.ts';
import { PostgresLedger } from './postgres-ledger.ts';
import { Reader } from './reader.ts';

export interface PostgresLedgerOptions {
  readonly place: PostgresPlace;
  /** Signs every checkpoint. `privateKey` is Ed25519, the same for every replica. */
  readonly signer: { readonly origin: string; readonly privateKey: KeyObject };
  /**
   * Begins this generation of the log, if it is later than that of the newest checkpoint: then the next entry must be
   * the one that says so. Default: the log goes on in the generation that it is in.
   */
  readonly generation?: number;
  /** Default: the database's, the same for every replica. Read once a batch. */
  readonly clock?: Clock;
  /** Milliseconds for which a commit is tried before the ledger is `stalled`. Default 5000. */
  readonly patienceMs?: number;
  /** How many of the newest entries are hashed anew at open. Default 10,000. */
  readonly recheckEntries?: number;
  /** After every durable commit of this process, before its callers go on. Must not throw. */
  readonly onCheckpoint?: (note: string, size: number) => void;
  /** Whenever the ledger stops being `ready`, or is so again. Must not throw. */
  readonly onStatus?: (status: LedgerStatus) => void;
}

const PATIENCE_MS = 5000;
const RECHECK_ENTRIES = 10_000;
/** Of the patience, what one attempt may take: so that there is time to learn what became of it. */
const ATTEMPT_SHARE = 0.4;
/** Opening may migrate and reads many entries. */
const OPEN_LIMIT_MS = 60_000;
/** A question about the log may go over many entries. */
const LOG_READ_LIMIT_MS = 30_000;
/** For whoever is inside a fence. */
const FENCE_WAIT_MS = 120_000;
const LOOK_AFTER = 'Look after the database; Keyturn goes on by itself once it answers.';

/**
 * Opens the ledger in a PostgreSQL database, beside other replicas, and checks it.
 * @throws KeyturnError `ledger_corrupt` when head, checkpoint and newest entries do not fit together or to the signer;
 * `config_invalid` for a server that does not keep what it has answered; `ledger_unavailable` for one that can't be
 * reached.
 */
export async function openPostgresLedger(options: PostgresLedgerOptions): Promise<Ledger> {
  const { place, patienceMs = PATIENCE_MS, clock } = options;
  const signer = LogSigner.create(options.signer.origin, options.signer.privateKey);
  const verifier = new LogVerifier({ origin: options.signer.origin, keys: [signer.vkey] });
  const attemptMs = Math.ceil(patienceMs * ATTEMPT_SHARE);
  const known = await openLog(options, signer, verifier);
  const tree = new Tree();
  const schema = schemaOf(place);
  const followers = new Followers(known.head.size);
  const health = new Health({ fix: LOOK_AFTER, recovers: true });
  const committer = new Committer(
    {
      signer,
      verifier,
      generation: options.generation ?? 1,
      schema,
      tree,
      health,
      patienceMs,
      attemptMs,
      clock: clock && (() => clock.now()),
      connect: () => writingSession(place, attemptMs),
      heard: () => followers.size,
      onSize: (size) => followers.advance(size),
      settle: (answer) => queue.settle(answer),
      onRecovered: () => options.onStatus?.(ledger.status()),
    },
    known,
  );
  const queue = new CommitQueue(health, {
    send: (changes) => committer.send(changes),
    stallAfterMs: patienceMs,
    stallDetail: () => stallDetail(patienceMs, committer.lastFault),
    onHead: ({ checkpoint, size }) => options.onCheckpoint?.(checkpoint, size),
  });
  const reader = (connections: number, limitMs: number) =>
    new Reader(readingConfig(place, limitMs, attemptMs), { connections, limitMs, tree });
  const state = reader(POOLS.state, patienceMs);
  const log = reader(POOLS.log, LOG_READ_LIMIT_MS);
  const announcements = new Announcements({
    schema,
    connect: () => Session.open(readingConfig(place, attemptMs, attemptMs)),
    limitMs: attemptMs,
    onSize: (size) => followers.advance(size),
  });
  const fences = new Fences({ schema, connect: () => fencingSession(place, attemptMs) });
  const ledger = new PostgresLedger({ health, queue, committer, state, log, followers, announcements, fences, place });
  health.onEnd(() => options.onStatus?.(ledger.status()));
  committer.start();
  return ledger;
}

function stallDetail(patienceMs: number, fault: string): string {
  return `a commit was not durable after ${patienceMs} ms${fault === '' ? '' : `, for ${fault}`}`;
}

/** Migrates and checks over a connection that may take its time. */
async function openLog(options: PostgresLedgerOptions, signer: LogSigner, verifier: LogVerifier): Promise<KnownLog> {
  const { place, recheckEntries = RECHECK_ENTRIES } = options;
  try {
    const session = await Session.open(clientConfig(place, { statement_timeout: OPEN_LIMIT_MS }, OPEN_LIMIT_MS));
    try {
      await prepareForWriting(session);
      await migrate(session, schemaOf(place), signer);
      return await checkLog(session, verifier, recheckEntries);
    } finally {
      await session.end();
    }
  } catch (error) {
    throw cannotConnect(place, error);
  }
}

/** For commits: a replica that hangs in the middle of one must not keep the others from the head. */
async function writingSession(place: PostgresPlace, limitMs: number): Promise<Session> {
  const settings = {
    statement_timeout: limitMs,
    lock_timeout: limitMs,
    idle_in_transaction_session_timeout: limitMs,
  };
  const session = await Session.open(clientConfig(place, settings, limitMs));
  try {
    await within(session, limitMs, () => prepareForWriting(session));
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  }
}

/** Waits for its turn, and then for the work to be done. */
function fencingSession(place: PostgresPlace, connectMs: number): Promise<Session> {
  return Session.open(clientConfig(place, { statement_timeout: FENCE_WAIT_MS }, connectMs));
}

function readingConfig(place: PostgresPlace, limitMs: number, connectMs: number): ClientConfig {
  return clientConfig(place, { statement_timeout: limitMs, default_transaction_read_only: 'on' }, connectMs);
}
