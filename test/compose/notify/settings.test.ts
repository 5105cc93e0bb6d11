import { expect, test } from 'vitest';
import { configWith, refusalOf } from '../settings/document.ts';

function read(notify?: object) {
  return configWith(notify === undefined ? {} : { notify }).notify;
}

function refusal(notify: object): string {
  return refusalOf({ notify });
}

const webhook = { url: 'https://hooks.example.com/keyturn', 'secret-file': 'hook' };
const mail = { host: 'smtp.example.com', from: 'keyturn@example.com', to: { default: ['a@example.com'] } };

test('without a word nobody is told anything', () => {
  expect(read()).toEqual({ webhook: null, mail: null });
});

test('every member reaches its way', () => {
  const all = {
    webhook: { ...webhook, ca: 'ca.pem', timeout: '5s' },
    mail: {
      ...mail,
      port: 2525,
      tls: 'implicit',
      ca: '/etc/ca.pem',
      user: 'keyturn',
      'password-file': 'mail-password',
      to: { default: ['a@example.com'], support: ['Banking <b@example.com>'] },
      'escalate-to': ['lead@example.com'],
      timeout: '30s',
    },
  };
  expect(read(all)).toEqual({
    webhook: { url: new URL(webhook.url), secretFile: '/home/kt/hook', caFile: '/home/kt/ca.pem', timeoutMs: 5_000 },
    mail: {
      host: 'smtp.example.com',
      port: 2525,
      tls: 'implicit',
      caFile: '/etc/ca.pem',
      user: 'keyturn',
      passwordFile: '/home/kt/mail-password',
      from: 'keyturn@example.com',
      to: { default: ['a@example.com'], support: ['Banking <b@example.com>'] },
      escalateTo: ['lead@example.com'],
      timeoutMs: 30_000,
    },
  });
});

test('ports follow from how TLS is begun', () => {
  expect(read({ mail }).mail?.port).toBe(587);
  expect(read({ mail: { ...mail, tls: 'implicit' } }).mail?.port).toBe(465);
  expect(read({ mail: { ...mail, tls: 'none', host: '127.0.0.1' } }).mail?.port).toBe(25);
  expect(read({ webhook: { ...webhook, url: 'http://[::1]:9000/' } }).webhook?.timeoutMs).toBe(10_000);
});

test.each([
  ['notify.webhook.url', { webhook: { ...webhook, url: 'hooks.example.com' } }],
  ['notify.webhook.url', { webhook: { ...webhook, url: 'http://hooks.example.com/' } }],
  ['notify.webhook.url', { webhook: { ...webhook, url: 'http://127.0.0.1.example.com/' } }],
  ['notify.webhook.url', { webhook: { ...webhook, url: 'https://name:word@hooks.example.com/' } }],
  ['notify.webhook.timeout', { webhook: { ...webhook, timeout: '5m' } }],
  ['notify.webhook.secret-file', { webhook: { url: webhook.url } }],
  ['notify.mail.tls', { mail: { ...mail, tls: 'none' } }],
  ['notify.mail.user', { mail: { ...mail, user: 'keyturn' } }],
  ['notify.mail.to', { mail: { ...mail, to: { support: ['a@example.com'] } } }],
  ['notify.mail.from', { mail: { ...mail, from: 'x@example.com\r\nBcc: eve@example.com' } }],
  ['notify.mail:', { mail: { ...mail, password: 'open sesame' } }],
])('%s is refused by name', (member, notify) => {
  expect(refusal(notify)).toContain(member);
  expect(refusal(notify)).not.toContain('sesame');
});
