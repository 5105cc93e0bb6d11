import { expect, test } from 'vitest';
import { configWith as read, refusalOf as refusal } from './document.ts';

test('without further stores new keys go into the own file', () => {
  expect(read({})).toMatchObject({ stores: [], defaultStore: 'file' });
});

test('Vault: every member reaches the adapter, paths from the home', () => {
  const vault = {
    kind: 'vault',
    address: 'https://vault.internal:8200',
    namespace: 'team',
    mount: 'kv',
    prefix: 'keyturn/eu',
    tls: { ca: 'vault-ca.pem', 'server-name': 'vault' },
    login: {
      method: 'approle',
      mount: 'apps',
      'role-id': 'keyturn',
      'secret-id-file': '/run/secret-id',
      wrapped: true,
    },
    'timeout-ms': 900,
    'max-retries': 1,
    'follow-to': ['https://vault-2.internal:8200'],
    'break-ms': 3_000,
  };
  expect(read({ stores: { 'vault-eu': vault }, 'default-store': 'vault-eu' })).toMatchObject({
    defaultStore: 'vault-eu',
    stores: [
      {
        name: 'vault-eu',
        kind: 'vault',
        options: {
          address: 'https://vault.internal:8200',
          namespace: 'team',
          mount: 'kv',
          prefix: 'keyturn/eu',
          tls: { caFile: '/home/kt/vault-ca.pem', serverName: 'vault' },
          login: {
            method: 'approle',
            mount: 'apps',
            roleId: 'keyturn',
            secretIdFile: '/run/secret-id',
            wrapped: true,
          },
          timeoutMs: 900,
          maxRetries: 1,
          followTo: ['https://vault-2.internal:8200'],
          breakMs: 3_000,
        },
      },
    ],
  });
});

test.each([
  [
    { method: 'token-file', file: 'token' },
    { method: 'token_file', file: '/home/kt/token' },
  ],
  [
    { method: 'kubernetes', role: 'keyturn' },
    { method: 'kubernetes', role: 'keyturn' },
  ],
  [
    { method: 'jwt', role: 'keyturn', 'token-file': 'jwt' },
    { method: 'jwt', role: 'keyturn', tokenFile: '/home/kt/jwt' },
  ],
  [{ method: 'certificate' }, { method: 'certificate' }],
])('a login at Vault %j', (login, parsed) => {
  expect(read({ stores: { vault: { kind: 'vault', login } } }).stores).toEqual([
    { name: 'vault', kind: 'vault', options: { login: parsed }, adoptFrom: [] },
  ]);
});

test('AWS: every member reaches the adapter', () => {
  const aws = {
    kind: 'aws',
    'adopt-from': ['teams/*'],
    region: 'eu-central-1',
    prefix: 'keyturn',
    'kms-key': 'alias/keyturn',
    deletion: 14,
    tags: { team: 'payments' },
    replicas: [{ region: 'eu-west-1', 'kms-key': 'alias/there' }, { region: 'us-gov-east-1' }],
    'connect-ms': 1,
    'attempt-ms': 2,
    'call-ms': 3,
    attempts: 4,
    'break-ms': 5,
  };
  const options = {
    instance: 'keyturn.example/log',
    region: 'eu-central-1',
    prefix: 'keyturn',
    kmsKeyId: 'alias/keyturn',
    deletion: 14,
    tags: { team: 'payments' },
    replicas: [{ region: 'eu-west-1', kmsKeyId: 'alias/there' }, { region: 'us-gov-east-1' }],
    connectMs: 1,
    attemptMs: 2,
    callMs: 3,
    attempts: 4,
    breakMs: 5,
  };
  expect(read({ stores: { aws } }).stores).toEqual([{ name: 'aws', kind: 'aws', options, adoptFrom: ['teams/*'] }]);
});

test('a further file, and master keys that Vault and AWS KMS have wrapped', () => {
  const transit = { key: 'keyturn', mount: 'transit-eu', address: 'https://v:8200', 'wrapped-file': 'master/wrapped' };
  const kms = { key: 'alias/keyturn', 'wrapped-file': '/etc/keyturn/wrapped', region: 'eu-central-1' };
  const archive = { kind: 'file', path: 'archive/keys.ktn', 'master-key': { 'aws-kms': kms } };
  const keystore = { path: 'keys/keys.ktn', 'master-key': { 'vault-transit': transit } };
  expect(read({ keystore, stores: { archive } })).toMatchObject({
    masterKey: {
      'vault-transit': {
        key: 'keyturn',
        mount: 'transit-eu',
        address: 'https://v:8200',
        wrappedFile: '/home/kt/master/wrapped',
      },
    },
    stores: [
      {
        name: 'archive',
        kind: 'file',
        path: '/home/kt/archive/keys.ktn',
        masterKey: {
          'aws-kms': {
            keyId: 'alias/keyturn',
            region: 'eu-central-1',
            wrappedFile: '/etc/keyturn/wrapped',
            store: 'keyturn.example/log/archive',
          },
        },
      },
    ],
  });
});

test.each([
  ['stores.file', { file: { kind: 'vault' } }],
  ['stores.UPPER', { UPPER: { kind: 'vault' } }],
  ['stores.vault.adopt-from.0', { vault: { kind: 'vault', 'adopt-from': ['*'] } }],
  ['stores.vault.adopt-from', { vault: { kind: 'vault', 'adopt-from': [] } }],
  ['stores.vault.kind', { vault: { kind: 'valt' } }],
  ['stores.vault', { vault: { kind: 'vault', token: 'hvs.a-secret' } }],
  ['stores.vault.address', { vault: { kind: 'vault', address: 'vault.internal' } }],
  ['stores.vault.login', { vault: { kind: 'vault', login: { method: 'approle', 'role-id': 'a' } } }],
  ['stores.aws.deletion', { aws: { kind: 'aws', deletion: 3 } }],
  ['stores.aws.region', { aws: { kind: 'aws', region: 'Frankfurt' } }],
  ['stores.aws', { aws: { kind: 'aws', 'secret-access-key': 'a-secret' } }],
  ['stores.archive', { archive: { kind: 'file', path: 'a' } }],
])('a wrong %s is named, and never quoted', (member, stores) => {
  const message = refusal({ stores });
  expect(message).toContain(member.startsWith('stores.file') || member.endsWith('UPPER') ? 'stores' : member);
  expect(message).not.toContain('a-secret');
});

test('new keys go nowhere that is not configured', () => {
  expect(refusal({ 'default-store': 'vault' })).toContain('default-store');
});
