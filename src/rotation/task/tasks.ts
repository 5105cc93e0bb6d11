import type { JsonObject } from '../../core/canonical-json.ts';
import { newId } from '../../core/ids.ts';
import type { Write } from '../../ledger/change.ts';
import type { RotationRow, TaskRow } from '../../ledger/tables.ts';

export interface NewTask {
  readonly kind: TaskRow['kind'];
  readonly owner: string;
  readonly title: string;
  /** Steps, texts that are ready to send, names and addresses. No secret. */
  readonly body: JsonObject;
  readonly dueAt: number;
}

/** The write that opens a task of a rotation. Where its steps write `TASK`, its own id comes. */
export function openTask({ id: rotation, credential }: RotationRow, task: NewTask, now: number): Write {
  const id = newId('task', now);
  const row: TaskRow = {
    id,
    rotation,
    credential,
    kind: task.kind,
    state: 'open',
    owner: task.owner,
    title: task.title,
    body: JSON.stringify(named(task.body, id)),
    due_at: task.dueAt,
    reminders: 0,
    reminded_at: null,
    created_at: now,
    closed_at: null,
    closed_by: null,
    note: null,
  };
  return { insert: 'tasks', row };
}

function named(body: JsonObject, id: string): JsonObject {
  const { steps } = body;
  if (!Array.isArray(steps)) return body;
  return {
    ...body,
    steps: steps.map((step) => String(step).replace('keyturn task done TASK', `keyturn task done ${id}`)),
  };
}

/** The write that closes what is open of these kinds; none given: of all. */
export function closeTasks(
  { id }: RotationRow,
  kinds: readonly TaskRow['kind'][],
  state: 'done' | 'cancelled',
  now: number,
): Write[] {
  return [
    {
      update: 'tasks',
      where: { rotation: id, state: 'open', kind: { in: kinds } },
      set: { state, closed_at: now, closed_by: 'system' },
    },
  ];
}

export const TASK_KINDS: readonly TaskRow['kind'][] = ['import', 'certificate', 'revoke', 'look', 'decide'];
