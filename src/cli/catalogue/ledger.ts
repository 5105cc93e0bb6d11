import { postgresOptions } from './postgres.ts';
import type { Group } from './spec.ts';

export const ledgerGroup: Group = [
  'ledger',
  'Where state and log are',
  [
    {
      name: 'move',
      about: 'Move the ledger of a stopped instance from its file into PostgreSQL, verified, all or nothing',
      example:
        'keyturn ledger move --postgres-host db.internal --postgres-database keyturn --postgres-user keyturn --postgres-password-file /etc/keyturn/db',
      load: () => import('../commands/ledger/move.ts'),
      options: [
        ['--postgres-host <host>', 'name or address of the server, or the folder of its socket'],
        ...postgresOptions,
      ],
      formerly: [
        '--host <host>',
        '--port <port>',
        '--database <name>',
        '--user <name>',
        '--schema <name>',
        '--password-file <file>',
        '--ca <file>',
      ],
    },
  ],
];
