import type { TaskRow } from '../../ledger/tables.ts';
import type { NoticeStage } from '../../notify/notifier.ts';

const DAY_MS = 86_400_000;

export type RemindedTask = Pick<TaskRow, 'created_at' | 'due_at' | 'reminders' | 'reminded_at'>;

/**
 * When somebody is to be reminded of an open task next, milliseconds since the epoch: as it is opened, when half of the
 * time is over, when it is due, and then once a day. What was missed is made up for by one, never by several.
 */
export function nextReminder({ created_at, due_at, reminders, reminded_at }: RemindedTask): number {
  if (reminders === 0 || reminded_at === null) return created_at;
  const half = halfTime({ created_at, due_at });
  if (reminded_at < half) return half;
  if (reminded_at < due_at) return due_at;
  return reminded_at + DAY_MS;
}

/** What it says at `now`. */
export function stageAt(task: RemindedTask, now: number): NoticeStage {
  const { due_at, reminded_at } = task;
  if (now >= due_at) return reminded_at !== null && reminded_at >= due_at ? 'overdue' : 'due';
  return now >= halfTime(task) && task.reminders > 0 ? 'half-time' : 'opened';
}

function halfTime({ created_at, due_at }: Pick<TaskRow, 'created_at' | 'due_at'>): number {
  return created_at + Math.max(0, due_at - created_at) / 2;
}
