import type { Spec } from './main.ts';

const REASON = ['--reason <text>', 'why; recorded on the audit log'] as const;

/** The instance itself. */
export const instanceCommands: readonly Spec[] = [
  {
    name: 'init',
    about: 'Make a new instance: master key, key store, CA, ledger, policies, first administrator',
    example: 'keyturn init --home /var/lib/keyturn --admin alice --name keyturn.internal',
    load: () => import('./commands/init.ts'),
    options: [
      ['--admin <name>', 'the first administrator (default: your login name)'],
      ['--host <address>', 'address to listen on (default 127.0.0.1)'],
      ['--port <number>', 'port to listen on (default 8443; 0 picks a free one now)'],
      ['--passphrase', 'lock the key store with a passphrase, asked for at each start, instead of a key file'],
      ['--master-key-file <file>', 'where to put (or find) the master key file, outside the instance for real use'],
      ['--systemd-credential <name>', 'master key handed over by systemd'],
      ['--origin <name>', 'name of the audit log, for ever'],
    ],
    lists: [['--name <name>', 'DNS name or IP address that clients call; repeat it for several']],
  },
  {
    name: 'server',
    about: 'Serve the API of an instance',
    example: 'keyturn server --home /var/lib/keyturn',
    load: () => import('./commands/server.ts'),
  },
  {
    name: 'doctor',
    about: 'Check everything that is commonly wrong, with the command that mends it',
    example: 'keyturn doctor',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'can-i <permission> [credential]',
    about: 'Would this be allowed, and why',
    example: 'keyturn can-i credential:lease lean/sandbox --as service:payments --explain',
    load: () => import('./commands/can-i.ts'),
    options: [
      ['--as <principal>', 'ask for another principal (needs audit:read)'],
      ['--explain', 'show every binding that was considered'],
    ],
  },
  {
    name: 'whoami',
    about: 'Whom your token stands for, and which files were used',
    example: 'keyturn whoami --json',
    load: () => import('./commands/whoami.ts'),
  },
];

/** Keys and certificates. */
export const credentialCommands: readonly Spec[] = [
  {
    name: 'import <credential>',
    about: 'Import a key and certificate that the partner made',
    example: 'keyturn import lean/sandbox --zip KEYCERT.zip --chain CHAIN.zip --environment sandbox',
    load: () => import('./commands/import.ts'),
    options: [
      ['--environment <name>', 'confirm the environment where the chain cannot tell it'],
      ['--accept-new-chain', 'the partner has changed its CA and the new chain was checked'],
      ['--password-file <file>', 'password of an encrypted key (asked for otherwise)'],
      ['--remove-source', 'overwrite and delete the uploaded files afterwards (best effort)'],
    ],
    lists: [
      ['--zip <file>', 'zip with key and certificate, as the partner handed it out'],
      ['--pem <file>', 'PEM file; repeat it for key, certificate and chain apart'],
      ['--chain <file>', 'zip or PEM file with the issuer chain'],
    ],
  },
  {
    name: 'promote <credential> <version>',
    about: 'Make a staged (or the previous) version current',
    example: 'keyturn promote lean/sandbox 2',
    load: () => import('./commands/promote.ts'),
  },
  {
    name: 'freeze [credential]',
    about: 'Stop a version, credential, principal, host or store at once; one person is enough',
    example: 'keyturn freeze lean/sandbox --version 2 --reason "key seen in a paste"',
    load: () => import('./commands/freeze.ts'),
    options: [
      ['--version <number>', 'only this version of the credential'],
      ['--principal <id>', 'freeze a principal instead, e.g. service:payments'],
      ['--host <address>', 'freeze a host instead'],
      ['--store <name>', 'freeze a key store instead'],
      ['--socket [path]', 'through the host-local socket, without token or network'],
      REASON,
    ],
  },
  {
    name: 'thaw <hold>',
    about: 'Ask to lift a hold; a second person lifts it with the same command',
    example: 'keyturn thaw hold_0199… --token-file bob.token',
    load: () => import('./commands/thaw.ts'),
  },
  {
    name: 'lease <credential>',
    about: 'Borrow the current version, check the receipt, and show what was lent (never the key)',
    example: 'keyturn lease lean/sandbox --connection payments.json --token-file payments.token',
    load: () => import('./commands/lease.ts'),
  },
  {
    name: 'reveal <credential> <version>',
    about: 'Write the private key to a new file; a permission of its own, audited as such',
    example: 'keyturn reveal lean/sandbox 2 --reason "move to the new HSM" --out key.pem',
    load: () => import('./commands/reveal.ts'),
    options: [REASON, ['--out <file>', 'new file of mode 0600, or - for standard output']],
  },
];

/** Groups of commands. */
export const groups: readonly (readonly [name: string, about: string, specs: readonly Spec[]])[] = [
  [
    'credential',
    'What there is',
    [
      {
        name: 'list',
        about: 'Credentials with their current version and its end',
        example: 'keyturn credential list',
        load: () => import('./commands/credential-list.ts'),
      },
      {
        name: 'show <credential>',
        about: 'Versions, companions, holds and live leases of one credential',
        example: 'keyturn credential show lean/sandbox --json',
        load: () => import('./commands/credential-show.ts'),
      },
    ],
  ],
  [
    'companion',
    'Secrets that travel with a credential, e.g. an app token',
    [
      {
        name: 'set <credential> <name>',
        about: 'Set a companion secret, asked for or read from a file',
        example: 'keyturn companion set lean/sandbox lean-app-token --file token.txt',
        load: () => import('./commands/companion-set.ts'),
        options: [['--file <file>', 'file that holds the secret (one line end at its end is dropped)']],
      },
    ],
  ],
  [
    'hold',
    'Freezes in force',
    [
      {
        name: 'list',
        about: 'Who froze what, and why',
        example: 'keyturn hold list',
        load: () => import('./commands/hold-list.ts'),
      },
    ],
  ],
  [
    'token',
    'API tokens for services and persons',
    [
      {
        name: 'create <principal>',
        about: 'Make a token and write the client’s connection file and token file',
        example: 'keyturn token create service:payments --out payments --ttl 90d --comment "payments in staging"',
        load: () => import('./commands/token-create.ts'),
        options: [
          ['--ttl <duration>', 'life of the token, e.g. 30d (default 90d)'],
          ['--comment <text>', 'what it is for; recorded'],
          ['--out <prefix>', 'writes <prefix>.connection.json and <prefix>.token (default: the name of the principal)'],
        ],
      },
      {
        name: 'list',
        about: 'Tokens that have not been revoked',
        example: 'keyturn token list',
        load: () => import('./commands/token-list.ts'),
      },
      {
        name: 'revoke <id>',
        about: 'Revoke a token',
        example: 'keyturn token revoke token_0199…',
        load: () => import('./commands/token-revoke.ts'),
      },
    ],
  ],
  [
    'policy',
    'Access policy and partner profiles',
    [
      {
        name: 'check',
        about: 'Load the policy files and run their expectations, without a server',
        example: 'keyturn policy check --home /var/lib/keyturn',
        load: () => import('./commands/policy-check.ts'),
      },
      {
        name: 'reload',
        about: 'Let the server load them anew, whole or not at all',
        example: 'keyturn policy reload',
        load: () => import('./commands/policy-reload.ts'),
      },
    ],
  ],
  [
    'audit',
    'The audit log',
    [
      {
        name: 'tail',
        about: 'The newest entries',
        example: 'keyturn audit tail --follow',
        load: () => import('./commands/audit-tail.ts'),
        options: [
          ['--lines <number>', 'how many (default 20)'],
          ['--follow', 'go on as entries arrive'],
        ],
      },
      {
        name: 'query',
        about: 'Entries by kind, actor, credential and time',
        example: 'keyturn audit query --kind lease.granted --credential lean/sandbox --since 2026-11-01T00:00:00Z',
        load: () => import('./commands/audit-query.ts'),
        options: [
          ['--kind <kind>', 'e.g. lease.granted, access.denied'],
          ['--actor <principal>', 'e.g. service:payments'],
          ['--credential <name>', 'e.g. lean/sandbox'],
          ['--since <time>', 'RFC 3339, inclusive'],
          ['--until <time>', 'RFC 3339, inclusive'],
          ['--limit <number>', 'at most 1000 (default 100)'],
          ['--newest', 'newest first'],
        ],
      },
      {
        name: 'export <file>',
        about: 'Write the whole log to a new file, to be verified anywhere',
        example: 'keyturn audit export trail.log',
        load: () => import('./commands/audit-export.ts'),
      },
      {
        name: 'verify <file>',
        about: 'Verify an export offline, with nothing but the log’s public key',
        example: 'keyturn audit verify trail.log --key "keyturn/…+…" --since /mnt/elsewhere/checkpoint',
        load: () => import('./commands/audit-verify.ts'),
        lists: [
          ['--key <vkey>', 'public key of the log (default: from the connection file)'],
          ['--since <file>', 'checkpoint kept outside; shows a log that was cut or rewritten since'],
        ],
      },
    ],
  ],
  [
    'store',
    'The encrypted key file of an instance (while its server is stopped)',
    [
      {
        name: 'verify',
        about: 'Read and authenticate every record, and compare the store with the ledger',
        example: 'keyturn store verify',
        load: () => import('./commands/store-verify.ts'),
      },
      {
        name: 'rotate-master-key',
        about: 'Lock the key store with a new master key',
        example: 'keyturn store rotate-master-key --new-key-file /secure/master-2.key',
        load: () => import('./commands/store-rotate.ts'),
        options: [
          ['--new-key-file <file>', 'make (or use) this key file'],
          ['--new-passphrase', 'ask for a passphrase'],
        ],
      },
    ],
  ],
];
