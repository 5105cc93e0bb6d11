import type { Notice } from '../../src/notify/notifier.ts';

export function noticeFor(changes: Partial<Notice> = {}): Notice {
  return {
    id: 'task_1.2',
    stage: 'half-time',
    escalated: false,
    number: 2,
    task: 'task_1',
    credential: 'lean/sandbox',
    kind: 'revoke',
    owner: 'support',
    title: 'Have certificate 1a of lean/sandbox revoked',
    steps: ['Send the text below to Lean.', 'When they have confirmed it: keyturn task done TASK'],
    text: 'Please revoke.\nThank you.',
    openedAt: '2026-03-02T00:00:00.000Z',
    dueAt: '2026-03-04T00:00:00.000Z',
    ...changes,
  };
}

export const NEVER = new AbortController().signal;
