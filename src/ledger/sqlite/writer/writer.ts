import { parentPort, workerData } from 'node:worker_threads';
import { KeyturnError } from '../../../core/errors.ts';
import { toWire } from '../../batch/answer.ts';
import { describe } from '../database/fault.ts';
import { pack } from '../packed-answer.ts';
import type { FromWriter, ToWriter, WriterData } from '../protocol.ts';
import { LogFile } from './log-file.ts';

/** Worker: the only thread that writes. A disk that hangs stops this thread and no other. */

const port = parentPort;
if (port === null) throw new KeyturnError('internal', 'The ledger writer runs as a worker only.');

// A slice of a few octets keeps its whole pool, 64 KiB of it by default.
Buffer.poolSize = 8192;

const file = open(workerData);
if (file !== null) {
  let sound = true;
  port.on('message', (message: ToWriter) => {
    if (message.kind === 'close') {
      if (sound) file.close();
      answer({ kind: 'closed' });
      port.close();
      return;
    }
    if (!sound) return;
    try {
      answer({ kind: 'durable', answer: pack(file.commit(message)) });
      file.tidy();
    } catch (error) {
      // Neither rolled back nor closed: both could sync again what has failed to sync.
      sound = false;
      answer({ kind: 'failed', detail: describe(error) });
    }
  });
}

function open(data: WriterData): LogFile | null {
  try {
    const opened = LogFile.open(data);
    answer({ kind: 'ready', ...opened.head });
    return opened;
  } catch (error) {
    const refusal =
      error instanceof KeyturnError
        ? error
        : new KeyturnError('ledger_unavailable', `The ledger ${data.path} cannot be opened: ${describe(error)}.`, {
            fix: 'Look after the disk and the file, then start again.',
          });
    answer({ kind: 'refused', error: toWire(refusal) });
    return null;
  }
}

function answer(message: FromWriter): void {
  port?.postMessage(message);
}
