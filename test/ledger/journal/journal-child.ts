import { isKeyturnError } from '../../../src/core/errors.ts';
import { EmergencyJournal } from '../../../src/ledger/journal/emergency-journal.ts';

/** A process with a journal, to have its disk taken away: appends once for each message. */

const journal = await EmergencyJournal.open(process.argv[2] ?? '', { timeoutMs: 400 });
process.on('message', (id: number) => {
  const startMs = performance.now();
  journal.append({ id }).then(
    () => process.send?.({ said: 'durable', tookMs: performance.now() - startMs }),
    (error: unknown) =>
      process.send?.({ said: isKeyturnError(error) ? error.code : 'other', tookMs: performance.now() - startMs }),
  );
});
process.send?.({ said: 'ready', tookMs: 0 });
