import type { Notice, NoticeStage } from '../notifier.ts';

const WORDS: Record<NoticeStage, string> = {
  opened: 'New task',
  'half-time': 'Reminder',
  due: 'Due now',
  overdue: 'Overdue',
};

export function subjectOf({ stage, title }: Notice): string {
  return `[Keyturn] ${WORDS[stage]}: ${title}`;
}

/** Plain text, as a person reads it. */
export function textOf(notice: Notice): string {
  const { title, stage, escalated, credential, task, owner, steps, text, openedAt, dueAt, number } = notice;
  const lines = [
    title,
    '',
    `Credential: ${credential}`,
    `For:        ${owner}`,
    `Opened:     ${openedAt}`,
    `Due:        ${dueAt}${stage === 'overdue' ? ' (overdue)' : ''}`,
    `Task:       ${task}`,
    ...(escalated ? ['', 'It is overdue, so the second contact is told as well.'] : []),
    '',
    ...steps.map((step, at) => `${at + 1}. ${step}`),
    ...(text === null ? [] : ['', 'Ready to send:', '', ...text.split('\n').map((line) => `    ${line}`)]),
    '',
    `This is reminder ${number} of this task. It ends when the task is done: keyturn task list`,
  ];
  return `${lines.join('\n')}\n`;
}
