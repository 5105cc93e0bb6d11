import { postgresOptions } from './postgres.ts';
import type { Spec } from './spec.ts';

/** The instance itself. */
export const instanceCommands: readonly Spec[] = [
  {
    name: 'init',
    about: 'Make a new instance: master key, key store, CA, ledger, policies, first administrator',
    example: 'keyturn init --home /var/lib/keyturn --admin alice --name keyturn.internal',
    load: () => import('../commands/instance/init.ts'),
    options: [
      ['--admin <name>', 'the first administrator (default: your login name)'],
      ['--host <address>', 'address to listen on (default 127.0.0.1)'],
      ['--port <number>', 'port to listen on (default 8443; 0 picks a free one now)'],
      ['--passphrase', 'lock the key store with a passphrase, asked for at each start, instead of a key file'],
      ['--master-key-file <file>', 'where to put (or find) the master key file, outside the instance for real use'],
      ['--systemd-credential <name>', 'master key handed over by systemd'],
      ['--vault-transit-key <key-name>', 'master key wrapped by this key of Vault transit; BAO_… or VAULT_… say where'],
      ['--aws-kms-key <key-name>', 'master key wrapped by this key of AWS KMS (ARN, id, alias); AWS_… say where'],
      ['--wrapped-file <file>', 'where the wrapped key rests (default: master/wrapped in the instance)'],
      [
        '--postgres-host <host>',
        'ledger in PostgreSQL, for many servers: its name, address, or the folder of its socket',
      ],
      ...postgresOptions,
      ['--origin <name>', 'name of the audit log, for ever'],
    ],
    lists: [['--name <name>', 'DNS name or IP address that clients call; repeat it for several']],
  },
  {
    name: 'server',
    about: 'Serve the API of an instance',
    example: 'keyturn server --home /var/lib/keyturn',
    load: () => import('../commands/instance/server.ts'),
    options: [['--accept-rollback', 'start on a ledger older than the checkpoint outside, once; recorded']],
  },
  {
    name: 'restore <file>',
    about: 'Make an instance of a backup, in a new folder; says what was recorded after it and is lost',
    example: 'keyturn restore keyturn-1.backup --identity keyturn-backup.identity --home /var/lib/keyturn',
    load: () => import('../commands/backup/restore.ts'),
    options: [
      ['--identity <file>', 'identity that the backup was encrypted to'],
      ['--identity-passphrase-file <file>', 'its passphrase, if it has one (asked for otherwise)'],
      ['--master-key-file <file>', 'master key of the key store: no backup holds it'],
      ['--checkpoint <file>', 'newest checkpoint kept outside (default: the configured one, if it is elsewhere)'],
      ['--tail <file>', 'audit export taken after the backup: names what is lost, and its freezes are taken over'],
      ['--journal <file>', 'emergency journal of the lost machine, to be replayed'],
      ['--trust-backup', 'follow its configuration although neither a log key nor a master key is given'],
      ['--accept-loss', 'go on although entries are lost'],
      ['--freeze-all', 'start with every key store frozen, until two persons thaw it'],
      ['--admin <name>', 'make a new token for this person, in the folder of the instance'],
      ['--generation <number>', 'a higher one, where a restore is known that no checkpoint outside tells of'],
    ],
    lists: [['--key <vkey>', 'public key that must have signed it (default: those of --connection, if that is given)']],
  },
  {
    name: 'doctor',
    about: 'Check everything that is commonly wrong, with the command that mends it',
    example: 'keyturn doctor',
    load: () => import('../commands/instance/doctor.ts'),
    options: [['--write-test', 'also write, read and destroy a record of random octets in each store elsewhere']],
  },
  {
    name: 'can-i <permission> [credential]',
    about: 'Would this be allowed, and why',
    example: 'keyturn can-i credential:lease lean/sandbox --as service:payments --explain',
    load: () => import('../commands/policy/can-i.ts'),
    options: [
      ['--as <principal>', 'ask for another principal (needs audit:read)'],
      ['--explain', 'show every binding that was considered'],
    ],
  },
  {
    name: 'whoami',
    about: 'Whom your token stands for, and which files were used',
    example: 'keyturn whoami --json',
    load: () => import('../commands/instance/whoami.ts'),
  },
];
