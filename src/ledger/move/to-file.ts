import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KeyturnError } from '../../core/errors.ts';
import { fromWire, type WireError } from '../batch/answer.ts';
import type { SignedHead } from '../log/proof.ts';
import type { PostgresPlace } from '../postgres/connection/place.ts';
import { WORKER_LIMITS, workerFile } from '../sqlite/worker-file.ts';

export interface ToFileRequest {
  readonly place: PostgresPlace;
  /** A file that is not there yet. */
  readonly copy: string;
}

export type ToFileAnswer = { readonly head: SignedHead } | { readonly error: WireError };

/**
 * Copies the ledger in a database to a new file of the embedded ledger, as of one instant, in a thread of its own:
 * commits of all servers go on.
 * @throws KeyturnError `ledger_unavailable`.
 */
export async function copyToFile(request: ToFileRequest): Promise<SignedHead> {
  const worker = new Worker(workerFile('./to-file-worker', import.meta.url), {
    workerData: request,
    resourceLimits: WORKER_LIMITS,
  });
  try {
    const [answer] = (await once(worker, 'message')) as [ToFileAnswer];
    if ('error' in answer) throw fromWire(answer.error);
    return answer.head;
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('ledger_unavailable', 'The thread that copies the ledger has crashed.');
  } finally {
    await worker.terminate();
  }
}
