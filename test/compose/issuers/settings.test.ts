import { expect, test } from 'vitest';
import { configWith, refusalOf } from '../settings/document.ts';

function read(issuers: object) {
  return configWith({ issuers }).issuers;
}

function refusal(issuers: object): string {
  return refusalOf({ issuers });
}

test('an authority of our own: every member reaches the adapter, in seconds', () => {
  const internal = {
    kind: 'local',
    store: 'file',
    'common-name': 'Acme clients',
    maximum: '30d',
    list: '12h',
    'list-url': 'http://pki.internal/a.crl',
  };
  expect(read({ internal })).toEqual([
    {
      name: 'internal',
      kind: 'local',
      store: 'file',
      options: {
        commonName: 'Acme clients',
        maximumSeconds: 30 * 86_400,
        listSeconds: 12 * 3600,
        listUrl: 'http://pki.internal/a.crl',
      },
    },
  ]);
  expect(read({ internal: { kind: 'local' } })).toEqual([
    { name: 'internal', kind: 'local', store: null, options: {} },
  ]);
});

test('Vault: every member reaches the adapter, paths from the home', () => {
  const vault = {
    kind: 'vault-pki',
    address: 'https://vault.internal:8200',
    mount: 'pki-clients',
    role: 'payments',
    tls: { ca: 'vault-ca.pem' },
    login: { method: 'token-file', file: 'token' },
    'timeout-ms': 900,
    'find-limit': 500,
  };
  expect(read({ vault })).toEqual([
    {
      name: 'vault',
      kind: 'vault-pki',
      options: {
        address: 'https://vault.internal:8200',
        tls: { caFile: '/home/kt/vault-ca.pem' },
        login: { method: 'token_file', file: '/home/kt/token' },
        timeoutMs: 900,
        mount: 'pki-clients',
        role: 'payments',
        findLimit: 500,
      },
    },
  ]);
});

test('AWS Private CA: every member reaches the adapter', () => {
  const authority = 'arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/0b1c';
  const aws = { kind: 'aws-pca', authority, lifetime: '30d', endpoint: 'https://pca.internal', 'call-ms': 9_000 };
  expect(read({ aws })).toEqual([
    {
      name: 'aws',
      kind: 'aws-pca',
      options: { authority, lifetimeSeconds: 30 * 86_400, endpoint: 'https://pca.internal', callMs: 9_000 },
    },
  ]);
});

test.each([
  ['issuers.internal.store', { internal: { kind: 'local', store: 'nowhere' } }],
  ['issuers.internal.kind', { internal: { kind: 'acme' } }],
  ['issuers.internal', { internal: { kind: 'local', key: 'x' } }],
  ['issuers.internal.maximum', { internal: { kind: 'local', maximum: 'long' } }],
  ['issuers.internal.list-url', { internal: { kind: 'local', 'list-url': 'file:///etc/passwd' } }],
  ['issuers.vault', { vault: { kind: 'vault-pki', token: 'hvs.secret' } }],
  ['issuers.vault.find-limit', { vault: { kind: 'vault-pki', 'find-limit': 0 } }],
  ['issuers.aws.authority', { aws: { kind: 'aws-pca' } }],
  ['issuers.aws', { aws: { kind: 'aws-pca', authority: 'arn', region: 'eu-central-1' } }],
  ['manual', { manual: { kind: 'local' } }],
  ['Internal', { Internal: { kind: 'local' } }],
])('what is wrong with %s is told', (where, issuers) => {
  expect(refusal(issuers)).toContain(where);
});
