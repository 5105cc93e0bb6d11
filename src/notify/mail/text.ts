import type { Notice, NoticeStage, TestNotice } from '../notifier.ts';

const WORDS: Record<NoticeStage, string> = {
  opened: 'New task',
  'half-time': 'Reminder',
  due: 'Due now',
  overdue: 'Overdue',
};

export function subjectOf(notice: Notice | TestNotice): string {
  if (notice.stage === 'test') return '[Keyturn] Test: nothing is to be done';
  return `[Keyturn] ${WORDS[notice.stage]}: ${notice.title}`;
}

/** Plain text, as a person reads it. */
export function textOf(notice: Notice | TestNotice): string {
  return notice.stage === 'test' ? testText(notice) : taskText(notice);
}

function testText({ owner, askedBy, sentAt, id }: TestNotice): string {
  const lines = [
    'This is a test: nothing is to be done.',
    '',
    `Asked by:   ${askedBy}`,
    `Sent:       ${sentAt}`,
    `Notice:     ${id}`,
    '',
    `Whoever gets it is told of tasks of ${owner === 'default' ? 'all owners that have no address of their own' : owner}.`,
  ];
  return `${lines.join('\n')}\n`;
}

function taskText(notice: Notice): string {
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
