import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { LogSigner, LogVerifier } from '../../../audit/checkpoint.ts';
import { EMPTY_ROOT } from '../../../audit/merkle.ts';
import type { BatchAnswer } from '../../batch/answer.ts';
import { signerAfter } from '../../log/generation.ts';
import type { SignedHead } from '../../log/proof.ts';
import { openForWriting, Statements } from '../database/connection.ts';
import { prepareFile, syncFolder } from '../database/files.ts';
import { migrate } from '../database/schema.ts';
import { TreeRows } from '../database/tree-rows.ts';
import { ChangeUnpacker } from '../packed-changes.ts';
import type { ToWriter, WriterData } from '../protocol.ts';
import { checkLog } from './check-log.ts';
import { GroupCommit } from './group-commit.ts';
import { keepQuestion } from './held-checks.ts';
import { ProcessLock } from './process-lock.ts';

/**
 * Pages that the write-ahead log may gather before they are moved to the main file; 4 KiB each. Leases wait meanwhile, so
 * it is done seldom: a page that was written many times moves once.
 */
const WAL_PAGES = 8000;
/** Pages that a commit adds to the write-ahead log, and each change in it; a lease adds one, others two or three. */
const PAGES_A_COMMIT = 12;
const PAGES_A_CHANGE = 2;

/** The ledger's file, open for writing by this process alone. */
export class LogFile {
  readonly #database: DatabaseSync;
  readonly #lock: ProcessLock;
  readonly #group: GroupCommit;
  readonly #unpacker = new ChangeUnpacker(keepQuestion);
  readonly head: SignedHead;
  #walPages = 0;

  private constructor(database: DatabaseSync, lock: ProcessLock, group: GroupCommit, head: SignedHead) {
    this.#database = database;
    this.#lock = lock;
    this.#group = group;
    this.head = head;
  }

  /** @throws KeyturnError `ledger_in_use`, `ledger_corrupt`, `config_invalid`; or SQLite's own error. */
  static open(data: WriterData): LogFile {
    const signer = LogSigner.create(data.origin, data.privateKey);
    const verifier = new LogVerifier({ origin: data.origin, keys: [signer.vkey] });
    prepareFile(data.path);
    const lock = ProcessLock.take(data.path);
    const database = openForWriting(data.path);
    settleFile(database, data.path);
    migrate(database);
    const statements = new Statements(database);
    startLog(database, statements, signer);
    const end = checkLog(statements, verifier, data.recheck);
    const onward = signerAfter(signer, verifier, end.checkpoint, data.generation);
    const group = new GroupCommit(statements, onward, new TreeRows(statements), end);
    return new LogFile(database, lock, group, { size: end.size, checkpoint: end.checkpoint });
  }

  commit({ now, packed }: Extract<ToWriter, { kind: 'batch' }>): BatchAnswer {
    const changes = this.#unpacker.unpack(packed);
    const answer = this.#group.run(now, changes);
    this.#walPages += PAGES_A_COMMIT + PAGES_A_CHANGE * changes.length;
    return answer;
  }

  /** Moves the write-ahead log into the main file when it has grown. An error is as final as one of a commit. */
  tidy(): void {
    if (this.#walPages < WAL_PAGES) return;
    this.#walPages = 0;
    this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)').all();
  }

  close(): void {
    this.#database.close();
    this.#lock[Symbol.dispose]();
  }
}

/**
 * After a failed sync the page cache may hold what the disk does not. So before anything is built on what an earlier
 * run left in the write-ahead log, it is written to the main file anew and synced.
 */
function settleFile(database: DatabaseSync, path: string): void {
  database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
  syncFolder(dirname(path));
}

/** An empty log has a signed head too. */
function startLog(database: DatabaseSync, statements: Statements, signer: LogSigner): void {
  database.exec('BEGIN IMMEDIATE');
  const begun = 'SELECT 1 FROM head UNION ALL SELECT 1 FROM checkpoints UNION ALL SELECT 1 FROM entries LIMIT 1';
  if (statements.prepare(begun).get() === undefined) {
    statements.prepare('INSERT INTO head (id, size, frontier, time) VALUES (1, 0, ?, 0)').run(Buffer.alloc(0));
    const note = signer.sign({ size: 0, root: EMPTY_ROOT });
    statements.prepare('INSERT INTO checkpoints (size, note) VALUES (0, ?)').run(note);
  }
  database.exec('COMMIT');
}
