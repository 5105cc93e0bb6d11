import { rotate } from './rotation.ts';
import type { Spec } from './spec.ts';

const REASON = ['--reason <text>', 'why; recorded on the audit log'] as const;

/** Keys and certificates. */
export const credentialCommands: readonly Spec[] = [
  {
    name: 'import <credential>',
    about: 'Import a key and certificate that the partner made',
    example: 'keyturn import lean/sandbox --zip KEYCERT.zip --chain CHAIN.zip --environment sandbox',
    load: () => import('../commands/credential/import.ts'),
    options: [
      ['--environment <name>', 'confirm the environment where the chain cannot tell it'],
      ['--accept-new-chain', 'the partner has changed its CA and the new chain was checked'],
      ['--password-file <file>', 'password of an encrypted key or PKCS#12 file (asked for otherwise)'],
      ['--store <name>', 'key store that takes the key (default: default-store of the server)'],
      ['--remove-source', 'overwrite and delete the uploaded files afterwards (best effort)'],
    ],
    lists: [
      ['--zip <file>', 'zip with key and certificate, as the partner handed it out'],
      ['--p12 <file>', 'PKCS#12 file (.p12, .pfx) with key, certificate and often the chain'],
      ['--pem <file>', 'PEM file; repeat it for key, certificate and chain apart'],
      ['--chain <file>', 'zip or PEM file with the issuer chain'],
    ],
  },
  {
    name: 'adopt <credential>',
    about: 'Import a key that already lies in Vault or AWS, by path and field names, with no file between',
    example:
      'keyturn adopt lean/sandbox --from vault-eu --path secret/data/teams/pay/lean --key-field private_key --certificate-field certificate',
    load: () => import('../commands/credential/adopt.ts'),
    options: [
      ['--from <store>', 'key store that it lies in'],
      ['--path <path>', 'MOUNT/data/NAME in Vault; name or ARN in AWS'],
      [
        '--key-field <field>',
        'field with the private key, tls.key within tls; without any field it is read as a whole',
      ],
      ['--certificate-field <field>', 'field with the certificate'],
      ['--chain-field <field>', 'field with the issuer chain'],
      ['--password-field <field>', 'field with the password of an encrypted key'],
      ['--password-file <file>', 'password of an encrypted key'],
      ['--password', 'ask for the password of an encrypted key'],
      ['--environment <name>', 'confirm the environment where the chain cannot tell it'],
      ['--accept-new-chain', 'the partner has changed its CA and the new chain was checked'],
      ['--store <name>', 'key store that takes the key (default: default-store of the server)'],
    ],
    lists: [['--companion <name=field>', 'companion secret that lies in a field beside the key']],
  },
  {
    name: 'promote <credential> <version>',
    about: 'Make a staged (or the previous) version current',
    example: 'keyturn promote lean/sandbox 2',
    load: () => import('../commands/credential/promote.ts'),
  },
  rotate,
  {
    name: 'retire <credential> <version>',
    about: 'End the use of a staged or previous version for good',
    example: 'keyturn retire lean/sandbox 1',
    load: () => import('../commands/version/retire.ts'),
    options: [['--force', 'although leases are live on it; their holders have the key until they end']],
  },
  {
    name: 'destroy <credential> <version>',
    about: 'Destroy the key of a retired version in its store, old copies included; there is no way back',
    example: 'keyturn destroy lean/sandbox 1',
    load: () => import('../commands/version/destroy.ts'),
  },
  {
    name: 'freeze [credential]',
    about: 'Stop a version, credential, principal, host or store at once; one person is enough',
    example: 'keyturn freeze lean/sandbox --version 2 --reason "key seen in a paste"',
    load: () => import('../commands/hold/freeze.ts'),
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
    load: () => import('../commands/hold/thaw.ts'),
  },
  {
    name: 'lease <credential>',
    about: 'Borrow the current version, check the receipt, and show what was lent (never the key)',
    example: 'keyturn lease lean/sandbox --connection payments.json --token-file payments.token',
    load: () => import('../commands/credential/lease.ts'),
  },
  {
    name: 'reveal <credential> <version>',
    about: 'Write the private key to a new file; a permission of its own, audited as such',
    example: 'keyturn reveal lean/sandbox 2 --reason "move to the new HSM" --out key.pem',
    load: () => import('../commands/credential/reveal.ts'),
    options: [REASON, ['--out <file>', 'new file of mode 0600, or - for standard output']],
  },
];
