import type { VersionRow, VersionState } from '../../../ledger/tables.ts';
import { closeTasks } from '../../task/tasks.ts';
import { halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

const FIT: ReadonlySet<VersionState> = new Set(['staged', 'current']);

/** Goes on when the successor is there, judged as every import is. */
export const awaitVersion: StepHandler = async (context) => {
  const { row, pace, facts } = context;
  const successor = await successorOf(context);
  if (successor !== null && !FIT.has(successor.state)) {
    return halt(
      `Version ${successor.version} is ${successor.state}, and can't become current: abort, and rotate again.`,
    );
  }
  if (successor !== null) {
    return next({
      set: { version: successor.version },
      writes: closeTasks(row, ['import', 'certificate'], 'done', context.now()),
      entry: {
        kind: 'rotation.advanced',
        version: successor.version,
        data: { done: row.step, spki: successor.spki, serial: successor.serial },
      },
    });
  }
  const what = facts.way.keyBy === 'partner' ? 'key and certificate of the partner' : 'a certificate for our key';
  return wait(`Waiting for ${what}: see the open task.`, pace.lookMs);
};

/** Our own key's version, in whichever state, or the newest that came after the one that is replaced. */
async function successorOf({ desk, row }: StepContext): Promise<VersionRow | null> {
  const { credential } = row;
  if (row.spki !== null) {
    const [own] = await desk.ledger.find('versions', { credential, spki: row.spki });
    return own ?? null;
  }
  const fit = { state: { in: [...FIT] } } as const;
  const newest = { orderBy: 'version', descending: true, limit: 1 } as const;
  const after = { credential, version: { gt: row.replaces ?? 0 }, ...fit };
  const [found] = await desk.ledger.find('versions', after, newest);
  return found ?? null;
}
