import { auditGroup } from './audit.ts';
import { backupGroup } from './backup.ts';
import { ledgerGroup } from './ledger.ts';
import { notifyGroup, rotationGroup, taskGroup } from './rotation.ts';
import type { Group } from './spec.ts';
import { storeGroup } from './store.ts';

/** Groups of commands, in the order of the help. */
export const groups: readonly Group[] = [
  [
    'credential',
    'What there is',
    [
      {
        name: 'list',
        about: 'Credentials with their current version and its end',
        example: 'keyturn credential list',
        load: () => import('../commands/credential/list.ts'),
      },
      {
        name: 'show <credential>',
        about: 'Versions, companions, holds and live leases of one credential',
        example: 'keyturn credential show lean/sandbox --json',
        load: () => import('../commands/credential/show.ts'),
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
        load: () => import('../commands/credential/companion-set.ts'),
        options: [
          ['--file <file>', 'file that holds the secret (one line end at its end is dropped)'],
          ['--store <name>', 'key store that takes the secret (default: default-store of the server)'],
        ],
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
        load: () => import('../commands/hold/list.ts'),
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
        load: () => import('../commands/token/create.ts'),
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
        load: () => import('../commands/token/list.ts'),
      },
      {
        name: 'revoke <id>',
        about: 'Revoke a token',
        example: 'keyturn token revoke token_0199…',
        load: () => import('../commands/token/revoke.ts'),
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
        load: () => import('../commands/policy/check.ts'),
      },
      {
        name: 'reload',
        about: 'Let the server load them anew, whole or not at all',
        example: 'keyturn policy reload',
        load: () => import('../commands/policy/reload.ts'),
      },
    ],
  ],
  rotationGroup,
  taskGroup,
  notifyGroup,
  storeGroup,
  ledgerGroup,
  auditGroup,
  backupGroup,
];
