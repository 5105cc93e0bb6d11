import type { Group } from './spec.ts';

export const ledgerGroup: Group = [
  'ledger',
  'Where state and log are',
  [
    {
      name: 'move',
      about: 'Move the ledger of a stopped instance from its file into PostgreSQL, verified, all or nothing',
      example:
        'keyturn ledger move --host db.internal --database keyturn --user keyturn --password-file /etc/keyturn/db',
      load: () => import('../commands/ledger/move.ts'),
      options: [
        ['--host <host>', 'name or address of the server, or the folder of its socket'],
        ['--port <port>', 'its port (default 5432)'],
        ['--database <name>', 'a database that is there'],
        ['--user <name>', 'a user that may make a schema in it'],
        ['--schema <name>', 'the schema that is made (default keyturn)'],
        ['--password-file <file>', 'the password alone, mode 0600 (default: PGPASSFILE)'],
        ['--ca <file>', 'roots of the server’s certificate; else those that are shipped with Node'],
      ],
    },
  ],
];
