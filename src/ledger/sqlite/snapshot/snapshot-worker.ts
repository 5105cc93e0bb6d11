import { closeSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { KeyturnError } from '../../../core/errors.ts';
import { toWire } from '../../batch/answer.ts';
import type { SignedHead } from '../../log/proof.ts';
import { openForReading } from '../database/connection.ts';
import { describe } from '../database/fault.ts';
import type { SnapshotAnswer, SnapshotRequest } from './snapshot.ts';

/** Worker: makes one copy and ends. */

parentPort?.postMessage(answer(workerData));

function answer({ path, copy }: SnapshotRequest): SnapshotAnswer {
  try {
    copyTo(path, copy);
    return { head: headOf(copy) };
  } catch (error) {
    const failed = new KeyturnError('ledger_unavailable', `The ledger could not be copied: ${describe(error)}.`, {
      fix: 'Make room beside the ledger, as much as it takes itself, then try again.',
      facts: { state: 'ready' },
    });
    return { error: toWire(failed) };
  }
}

/**
 * sqlite.org/lang_vacuum.html: one read transaction, so a state that was committed as it is; the writer goes on. It
 * writes into a file that is there and empty, so that nobody else may read it at any time.
 */
function copyTo(path: string, copy: string): void {
  closeSync(openSync(copy, 'wx', 0o600));
  const database = openForReading(path);
  try {
    database.exec('PRAGMA query_only = OFF');
    database.prepare('VACUUM INTO ?').run(copy);
  } finally {
    database.close();
  }
}

function headOf(copy: string): SignedHead {
  const database = openForReading(copy);
  try {
    const row = database.prepare('SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1').get();
    return { size: Number(row?.['size'] ?? 0), checkpoint: String(row?.['note'] ?? '') };
  } finally {
    database.close();
  }
}
