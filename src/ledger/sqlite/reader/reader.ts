import { parentPort, workerData } from 'node:worker_threads';
import { KeyturnError } from '../../../core/errors.ts';
import { toWire } from '../../batch/answer.ts';
import { openForReading, Statements } from '../database/connection.ts';
import { describe } from '../database/fault.ts';
import { TreeRows } from '../database/tree-rows.ts';
import type { FromReader, ReadQuery, ToReader } from '../protocol.ts';
import { Queries } from './queries.ts';

/** Worker: reads on a connection that cannot write. */

const database = openForReading(String(workerData));
const statements = new Statements(database);
const queries = new Queries(statements, new TreeRows(statements));

parentPort?.on('message', (message: ToReader) => {
  if (message !== 'close') {
    parentPort?.postMessage(answer(message.id, message.query));
    return;
  }
  database.close();
  parentPort?.close();
});

function answer(id: number, query: ReadQuery): FromReader {
  try {
    return { id, value: queries.run(query) };
  } catch (error) {
    if (error instanceof KeyturnError) return { id, error: toWire(error) };
    const failed = new KeyturnError('ledger_unavailable', `The ledger cannot be read: ${describe(error)}.`, {
      fix: 'Look after the disk of the ledger.',
    });
    return { id, error: toWire(failed) };
  }
}
