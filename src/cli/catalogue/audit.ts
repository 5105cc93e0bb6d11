import type { Group } from './spec.ts';

export const auditGroup: Group = [
  'audit',
  'The audit log',
  [
    {
      name: 'tail',
      about: 'The newest entries',
      example: 'keyturn audit tail --follow',
      load: () => import('../commands/audit/tail.ts'),
      options: [
        ['--lines <number>', 'how many (default 20)'],
        ['--follow', 'go on as entries arrive'],
      ],
    },
    {
      name: 'query',
      about: 'Entries by kind, actor, credential and time',
      example: 'keyturn audit query --kind lease.granted --credential lean/sandbox --since 2026-11-01T00:00:00Z',
      load: () => import('../commands/audit/query.ts'),
      options: [
        ['--kind <kind>', 'e.g. lease.granted, access.denied'],
        ['--actor <principal>', 'e.g. service:payments'],
        ['--credential <name>', 'e.g. lean/sandbox'],
        ['--since <time>', 'RFC 3339, inclusive'],
        ['--until <time>', 'RFC 3339, inclusive'],
        ['--from <index>', 'from this entry on'],
        ['--to <index>', 'up to this entry, and without it'],
        ['--limit <number>', 'at most 1000 (default 100); it is told when there are more'],
        ['--newest', 'newest first'],
      ],
    },
    {
      name: 'export <file>',
      about: 'Write the whole log to a new file, to be verified anywhere',
      example: 'keyturn audit export trail.log',
      load: () => import('../commands/audit/export.ts'),
    },
    {
      name: 'verify <file>',
      about: 'Verify an export offline, with nothing but the log’s public key',
      example: 'keyturn audit verify trail.log --key "keyturn/…+…" --since /mnt/elsewhere/checkpoint',
      load: () => import('../commands/audit/verify.ts'),
      lists: [
        ['--key <vkey>', 'public key of the log (default: from the connection file)'],
        ['--since <file>', 'checkpoint kept outside; shows a log that was cut or rewritten since'],
      ],
    },
  ],
];
