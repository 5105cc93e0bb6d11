import type { Group } from './spec.ts';

export const backupGroup: Group = [
  'backup',
  'Ledger and key store, encrypted to a key that is kept offline',
  [
    {
      name: 'take',
      isDefault: true,
      about: 'Let the server write ledger and key store to a new file, as one pair (also: keyturn backup --to …)',
      example: 'keyturn backup take --to keyturn-1.backup --recipient ktbackup_…',
      load: () => import('../commands/backup/take.ts'),
      options: [
        ['--to <file>', 'new file that the backup goes to'],
        ['--recipient <recipient>', 'one of backup.recipients of the server’s configuration'],
      ],
    },
    {
      name: 'keygen',
      about: 'Make a recipient of backups: the identity file stays offline, the recipient goes to the server',
      example: 'keyturn backup keygen --out keyturn-backup.identity --passphrase',
      load: () => import('../commands/backup/keygen.ts'),
      options: [
        ['--out <file>', 'new file of mode 0600 for the identity'],
        ['--passphrase', 'lock the identity with a passphrase, which is asked for'],
        ['--passphrase-file <file>', 'lock it with the passphrase in this file'],
      ],
    },
  ],
];
