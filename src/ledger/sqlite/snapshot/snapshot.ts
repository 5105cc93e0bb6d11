import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KeyturnError } from '../../../core/errors.ts';
import { fromWire, type WireError } from '../../batch/answer.ts';
import type { SignedHead } from '../../log/proof.ts';
import { workerFile } from '../worker-file.ts';

export interface SnapshotRequest {
  readonly path: string;
  readonly copy: string;
}

export type SnapshotAnswer = { readonly head: SignedHead } | { readonly error: WireError };

/** Copies the ledger at `path` to the new file `copy`, in a thread of its own: it takes as long as the disk does. */
export async function takeSnapshot(request: SnapshotRequest): Promise<SignedHead> {
  const worker = new Worker(workerFile('./snapshot-worker', import.meta.url), { workerData: request });
  try {
    const [answer] = (await once(worker, 'message')) as [SnapshotAnswer];
    if ('error' in answer) throw fromWire(answer.error);
    return answer.head;
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('ledger_unavailable', 'The thread that copies the ledger has crashed.');
  } finally {
    await worker.terminate();
  }
}
