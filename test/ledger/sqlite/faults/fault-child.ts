import { createPrivateKey } from 'node:crypto';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { openSqliteLedger } from '../../../../src/ledger/sqlite/open.ts';
import { change, hold } from '../../../conformance/ledger-rows.ts';
import type { ChildSetup, FromChild, ToChild } from './child-messages.ts';

/** A process that holds a ledger, to be killed or to have its disk taken away. It obeys messages. */

let next = 0;
let worstLagMs = 0;
let committing = false;

process.once('message', (setup: ChildSetup) => {
  void start(setup);
});

async function start({ path, origin, key, stallAfterMs }: ChildSetup): Promise<void> {
  const privateKey = createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' });
  const ledger = await openSqliteLedger({
    path,
    signer: { origin, privateKey },
    stallAfterMs,
    onStatus: (status) => say({ kind: 'status', status, atMs: performance.now() }),
  });
  watchLoop();
  next = ledger.status().size;

  const commitOne = async (): Promise<boolean> => {
    const id = `h${process.pid}-${next++}`;
    const startMs = performance.now();
    const took = () => ({ startMs, endMs: performance.now() });
    try {
      const outcome = await ledger.commit(
        change('hold.placed', { writes: [{ insert: 'holds', row: hold(id) }], receipt: { seen: 0 } }),
      );
      if (!outcome.committed || outcome.receipt === null) throw new Error('no receipt');
      say({ kind: 'acknowledged', id, receipt: outcome.receipt, ...took() });
      return true;
    } catch (error) {
      say({ kind: 'rejected', code: isKeyturnError(error) ? error.code : String(error), ...took() });
      return false;
    }
  };

  process.on('message', (message: ToChild) => {
    if (message.kind === 'commit') void commitOne();
    if (message.kind === 'burst') {
      committing = true;
      for (let lane = 0; lane < 8; lane += 1) void keepCommitting(commitOne);
    }
    if (message.kind === 'report') {
      const before = performance.now();
      const status = ledger.status();
      say({ kind: 'report', status, statusMs: performance.now() - before, worstLagMs });
      worstLagMs = 0;
    }
    if (message.kind === 'find') {
      ledger.find('holds', {}).then(
        () => say({ kind: 'found' }),
        (error: unknown) =>
          say({ kind: 'rejected', code: isKeyturnError(error) ? error.code : '?', startMs: 0, endMs: 0 }),
      );
    }
  });
  say({ kind: 'ready', size: ledger.status().size });
}

async function keepCommitting(commitOne: () => Promise<boolean>): Promise<void> {
  while (committing) {
    if (!(await commitOne())) committing = false;
  }
}

/** How late the loop comes to a timer that is always due. */
function watchLoop(): void {
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    worstLagMs = Math.max(worstLagMs, now - last - 5);
    last = now;
  }, 5);
}

function say(message: FromChild): void {
  process.send?.(message);
}
