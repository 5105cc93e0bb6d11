import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { BatchAnswer } from '../batch/answer.ts';
import { fromWire } from '../batch/answer.ts';
import { CommitQueue } from '../batch/commit-queue.ts';
import { Health } from '../batch/health.ts';
import type { Ledger, LedgerStatus } from '../ledger.ts';
import { Followers } from '../log/followers.ts';
import type { SignedHead } from '../log/proof.ts';
import { unpack } from './packed-answer.ts';
import { ChangePacker } from './packed-changes.ts';
import type { FromWriter, ToWriter, WriterData } from './protocol.ts';
import { ReadWorker } from './read-worker.ts';
import { RowCache } from './row-cache.ts';
import { SqliteLedger } from './sqlite-ledger.ts';
import { WORKER_LIMITS, workerFile } from './worker-file.ts';

export interface SqliteLedgerOptions {
  /** The file; created when missing, in a folder that must exist. Mode 0600; beside it `-wal`, `-shm`, `.lock`. */
  readonly path: string;
  /** Signs every checkpoint. `privateKey` is Ed25519; it goes to the writer thread without being exported. */
  readonly signer: { readonly origin: string; readonly privateKey: KeyObject };
  /**
   * Begins this generation of the log, if it is later than that of the newest checkpoint: then the next entry must be
   * the one that says so. Default: the log goes on in the generation that it is in.
   */
  readonly generation?: number;
  /** Default: the system's. Read once a batch. */
  readonly clock?: Clock;
  /** Milliseconds after which a commit that is not durable makes the ledger `stalled`. Default 2000. */
  readonly stallAfterMs?: number;
  /** How many of the newest entries are hashed anew at open. Default 10,000. */
  readonly recheckEntries?: number;
  /** After every durable commit, before its callers go on. Must not throw. */
  readonly onCheckpoint?: (note: string, size: number) => void;
  /** Once, when the ledger stops being `ready`. Must not throw. */
  readonly onStatus?: (status: LedgerStatus) => void;
}

const STALL_AFTER_MS = 2000;
const LOOK_AFTER = 'Look after the disk of the ledger, then restart the server.';
const RECHECK_ENTRIES = 10_000;
/**
 * A question about the log may go over many entries, and loading the thread's code counts as well. Seldom asked: its
 * thread, which takes 12 MB, is there while somebody asks.
 */
const LOG_LIMITS = { limitMs: 30_000, idleMs: 10_000 };

/**
 * Opens the embedded ledger for this process alone and checks it.
 * @throws KeyturnError `ledger_in_use`; `ledger_corrupt` when head, checkpoint and newest entries do not fit together
 * or to the signer; `config_invalid` when others may use the file; `ledger_unavailable` for an error of the disk.
 */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<Ledger> {
  const { path, clock = systemClock, stallAfterMs = STALL_AFTER_MS } = options;
  const { writer, opened } = await startWriter(options);
  let head = opened;
  const health = new Health({ fix: LOOK_AFTER, recovers: false });
  const rows = new RowCache();
  const followers = new Followers(opened.size);
  const packer = new ChangePacker();
  const queue = new CommitQueue(health, {
    send: (changes) => {
      rows.beingWritten(changes);
      writer.postMessage({ kind: 'batch', now: clock.now(), packed: packer.pack(changes) } satisfies ToWriter);
    },
    stallAfterMs,
    onHead: (next) => {
      head = next;
      followers.advance(next.size);
      options.onCheckpoint?.(next.checkpoint, next.size);
    },
  });
  listen(writer, health, (answer) => {
    rows.written();
    queue.settle(answer);
  });
  const state = new ReadWorker(path, health, { limitMs: stallAfterMs });
  const log = new ReadWorker(path, health, LOG_LIMITS);
  const shutDown = async () => {
    await Promise.all([state.end(), log.end()]);
    await closeWriter(writer);
  };
  const ledger = new SqliteLedger({ path, health, queue, state, rows, log, followers, head: () => head, shutDown });
  health.onEnd(() => options.onStatus?.(ledger.status()));
  try {
    await state.start();
  } catch (error) {
    await shutDown();
    throw error;
  }
  return ledger;
}

async function startWriter(options: SqliteLedgerOptions): Promise<{ writer: Worker; opened: SignedHead }> {
  const data: WriterData = {
    path: options.path,
    origin: options.signer.origin,
    privateKey: options.signer.privateKey,
    generation: options.generation ?? 1,
    recheck: options.recheckEntries ?? RECHECK_ENTRIES,
  };
  const writer = new Worker(workerFile('./writer/writer', import.meta.url), {
    workerData: data,
    resourceLimits: WORKER_LIMITS,
  });
  const [answer] = (await once(writer, 'message')) as [FromWriter];
  if (answer.kind === 'ready') return { writer, opened: { size: answer.size, checkpoint: answer.checkpoint } };
  await writer.terminate();
  if (answer.kind === 'refused') throw fromWire(answer.error);
  throw new KeyturnError('internal', 'The ledger writer spoke out of turn.');
}

function listen(writer: Worker, health: Health, settle: (answer: BatchAnswer) => void): void {
  writer.on('message', (message: FromWriter) => {
    if (message.kind === 'durable') settle(unpack(message.answer));
    if (message.kind === 'failed') health.end('failed', message.detail);
  });
  writer.on('error', () => health.end('failed', 'the thread that writes has crashed'));
  writer.on('exit', () => health.end('failed', 'the thread that writes has ended'));
}

async function closeWriter(writer: Worker): Promise<void> {
  const ended = once(writer, 'exit');
  writer.postMessage({ kind: 'close' });
  await ended;
}
