import type { Group } from './spec.ts';

export const storeGroup: Group = [
  'store',
  'Key stores, and what moves between them',
  [
    {
      name: 'list',
      about: 'Key stores, whether they answer, and what lies in each',
      example: 'keyturn store list',
      load: () => import('../commands/store/list.ts'),
    },
    {
      name: 'migrate',
      about: 'Move keys and companions to another store while leases go on; the same command goes on after a break',
      example: 'keyturn store migrate --from file --to vault-eu --credential lean/sandbox --dry-run',
      load: () => import('../commands/store/migrate.ts'),
      options: [
        ['--from <name>', 'store that they lie in'],
        ['--to <name>', 'store that they go to'],
        ['--dry-run', 'show what would be done, and do nothing'],
        ['--destroy-old', 'destroy each old copy as soon as the new one counts'],
        ['--destroy-left', 'destroy the old copies that earlier moves have left over, and move nothing'],
      ],
      lists: [['--credential <name>', 'only of this credential; repeat it for several']],
    },
    {
      name: 'verify',
      about: 'Read and authenticate every record of the stopped instance’s own file, and compare it with the ledger',
      example: 'keyturn store verify',
      load: () => import('../commands/store/verify.ts'),
    },
    {
      name: 'rotate-master-key',
      about: 'Lock the stopped instance’s own file with a new master key',
      example: 'keyturn store rotate-master-key --new-key-file /secure/master-2.key',
      load: () => import('../commands/store/rotate-master-key.ts'),
      options: [
        ['--new-key-file <file>', 'make (or use) this key file'],
        ['--new-passphrase', 'ask for a passphrase'],
        ['--new-vault-transit-key <key-name>', 'make one that this key of Vault transit wraps'],
        ['--new-aws-kms-key <key-name>', 'make one that this key of AWS KMS wraps'],
        ['--new-wrapped-file <file>', 'new file for what is wrapped'],
      ],
    },
  ],
];
