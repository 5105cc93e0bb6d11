import type { Group, Spec } from './spec.ts';

const REASON = ['--reason <text>', 'why; recorded on the audit log'] as const;

export const rotate: Spec = {
  name: 'rotate <credential>',
  about: 'Replace the current version: new certificate, proven, swapped in, the old one revoked and proven dead',
  example: 'keyturn rotate lean/sandbox --plan',
  load: () => import('../commands/rotation/rotate.ts'),
  options: [
    ['--plan', 'say what would be done, by whom and with which outage, and do nothing'],
    ['--compromised', 'its key is, or may be, in other hands: whoever revokes it is told so'],
    ['--version <number>', 'the version whose key that is, where it is not the current one any more'],
    REASON,
  ],
};

export const rotationGroup: Group = [
  'rotation',
  'Replacements of versions, under way and before',
  [
    {
      name: 'show <credential>',
      about: 'Where its newest rotation is, what it waits for, since when, what happens next, who has to act',
      example: 'keyturn rotation show lean/sandbox',
      load: () => import('../commands/rotation/show.ts'),
    },
    {
      name: 'list',
      about: 'Rotations that are under way',
      example: 'keyturn rotation list',
      load: () => import('../commands/rotation/list.ts'),
      options: [['--all', 'also those that have ended, the newest 100']],
    },
    {
      name: 'forecast',
      about: 'What falls due, why, from when on, and when it begins',
      example: 'keyturn rotation forecast --days 30',
      load: () => import('../commands/rotation/due/forecast.ts'),
      options: [['--days <number>', 'how far ahead (default 90)']],
    },
    {
      name: 'attach <credential>',
      about: 'Upload the certificate that was signed for the rotation’s own key',
      example: 'keyturn rotation attach bank/live --pem certificate.pem --chain chain.pem',
      load: () => import('../commands/rotation/attach.ts'),
      options: [
        ['--environment <name>', 'confirm the environment where the chain cannot tell it'],
        ['--accept-new-chain', 'the partner has changed its CA and the new chain was checked'],
      ],
      lists: [
        ['--pem <file>', 'PEM file with the certificate'],
        ['--chain <file>', 'zip or PEM file with the issuer chain'],
        ['--zip <file>', 'zip with the certificate'],
      ],
    },
    {
      name: 'retry <credential>',
      about: 'Try again what was halted, from the step where it stands',
      example: 'keyturn rotation retry lean/sandbox --reason "the partner has registered it"',
      load: () => import('../commands/rotation/orders/retry.ts'),
      options: [REASON],
    },
    {
      name: 'resume <credential>',
      about: 'Go on with the new version after a roll-back was asked for, while it is current still, or again',
      example: 'keyturn rotation resume lean/sandbox --reason "the old version is compromised"',
      load: () => import('../commands/rotation/orders/resume.ts'),
      options: [REASON],
    },
    {
      name: 'abort <credential>',
      about: 'Give it up while its version is not current; what it made is revoked, retired, destroyed',
      example: 'keyturn rotation abort lean/sandbox --reason "wrong subject"',
      load: () => import('../commands/rotation/orders/abort.ts'),
      options: [REASON],
    },
    {
      name: 'roll-back <credential>',
      about: 'Make the old version current again, while it is not retired',
      example: 'keyturn rotation roll-back lean/sandbox --reason "the partner refuses every tenth call"',
      load: () => import('../commands/rotation/orders/roll-back.ts'),
      options: [REASON],
    },
    {
      name: 'waive <credential> <what>',
      about: 'Take upon yourself what can’t be had: canary, drain, proof, or holder (a revealed copy)',
      example: 'keyturn rotation waive lean/sandbox holder --holder person:bob --reason "Bob has deleted it"',
      load: () => import('../commands/rotation/orders/waive.ts'),
      options: [['--holder <principal>', 'whose copy, for holder'], REASON],
    },
  ],
];

export const taskGroup: Group = [
  'task',
  'What people have to do for rotations',
  [
    {
      name: 'list',
      about: 'Open tasks with their steps and texts, the most urgent first',
      example: 'keyturn task list',
      load: () => import('../commands/task/list.ts'),
    },
    {
      name: 'done <id>',
      about: 'Say that it is done; the rotation goes on',
      example: 'keyturn task done task_0199… --note "revoked, ticket 1234"',
      load: () => import('../commands/task/done.ts'),
      options: [['--note <text>', 'what was done; recorded on the audit log']],
    },
  ],
];

export const notifyGroup: Group = [
  'notify',
  'How people hear of their tasks',
  [
    {
      name: 'test [name]',
      about: 'Send one test notice through webhook and mail, or the one that is named, and say what became of it',
      example: 'keyturn notify test mail --owner support',
      load: () => import('../commands/notify/test.ts'),
      options: [['--owner <name>', 'to those who hear of the tasks of this owner (default: those under default)']],
    },
  ],
];
