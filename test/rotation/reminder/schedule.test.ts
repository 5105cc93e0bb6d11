import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextReminder, type RemindedTask, stageAt } from '../../../src/rotation/reminder/schedule.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-02T00:00:00Z');

/** Every reminder of a task that is looked at each minute from `from` on. */
function remindersOf(task: RemindedTask, from: number, until: number): [at: number, stage: string][] {
  const sent: [number, string][] = [];
  let now = { ...task };
  for (let at = from; at <= until; at += 60_000) {
    if (nextReminder(now) > at) continue;
    sent.push([at, stageAt(now, at)]);
    now = { ...now, reminders: now.reminders + 1, reminded_at: at };
  }
  return sent;
}

const opened: RemindedTask = { created_at: START, due_at: START + 2 * DAY, reminders: 0, reminded_at: null };

test('at the opening, at half of the time, when it is due, then once a day', () => {
  expect(remindersOf(opened, START, START + 4 * DAY)).toEqual([
    [START, 'opened'],
    [START + DAY, 'half-time'],
    [START + 2 * DAY, 'due'],
    [START + 3 * DAY, 'overdue'],
    [START + 4 * DAY, 'overdue'],
  ]);
});

test('what was missed is made up for by one reminder', () => {
  expect(remindersOf(opened, START + 10 * DAY, START + 11 * DAY)).toEqual([
    [START + 10 * DAY, 'due'],
    [START + 11 * DAY, 'overdue'],
  ]);
});

test('a task that is due as it is opened is told once, not three times', () => {
  const urgent = { ...opened, due_at: START };
  expect(remindersOf(urgent, START, START + DAY - 60_000)).toEqual([[START, 'due']]);
});

test('any task, looked at from any time on: at most three and one a day', () => {
  fc.assert(
    fc.property(fc.integer({ min: -60, max: 20 * 1440 }), fc.integer({ min: 0, max: 20 * 1440 }), (life, late) => {
      const task = { ...opened, due_at: START + life * 60_000 };
      const sent = remindersOf(task, START + late * 60_000, START + 25 * DAY);
      expect(sent.length).toBeLessThanOrEqual(3 + 25);
      const overdue = sent.filter(([, stage]) => stage === 'overdue').map(([at]) => at);
      for (const [at, time] of overdue.entries()) expect(time - (overdue[at - 1] ?? 0)).toBeGreaterThanOrEqual(DAY);
      expect(sent.filter(([, stage]) => stage !== 'overdue').length).toBeLessThanOrEqual(3);
      expect(sent.length).toBeGreaterThan(0);
    }),
    { numRuns: 30 },
  );
});
