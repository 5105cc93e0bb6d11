import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Egress } from '../../../src/core/egress/egress.ts';
import { isExempt } from '../../../src/core/egress/no-proxy.ts';
import { HttpProxy } from '../../../src/core/egress/proxy.ts';
import { isKeyturnError } from '../../../src/core/errors.ts';

const HTTPS_PROXY = 'http://proxy.example:3128';

function way(environment: Readonly<Record<string, string>>, host = 'vault.example', port = 8200): string {
  const found = Egress.ofEnvironment(environment).wayTo(host, port);
  if (found.proxy !== null) return `${found.proxy.origin} by ${found.proxy.source}`;
  return found.spared === null ? 'direct' : `direct by ${found.spared.by}`;
}

it('the proxy is what HTTPS_PROXY names, then https_proxy; an empty one names nothing, HTTP_PROXY is not for https', () => {
  expect(way({})).toBe('direct');
  expect(way({ HTTPS_PROXY })).toBe('http://proxy.example:3128 by HTTPS_PROXY');
  expect(way({ https_proxy: HTTPS_PROXY })).toBe('http://proxy.example:3128 by https_proxy');
  expect(way({ HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:1' })).toBe('http://a:1 by HTTPS_PROXY');
  expect(way({ HTTPS_PROXY: '', https_proxy: 'http://b:1' })).toBe('http://b:1 by https_proxy');
  expect(way({ HTTP_PROXY: HTTPS_PROXY, http_proxy: HTTPS_PROXY, ALL_PROXY: HTTPS_PROXY })).toBe('direct');
});

it('a proxy without a scheme is an http one, without a port that of its scheme', () => {
  expect(way({ HTTPS_PROXY: 'proxy.example:3128' })).toContain('http://proxy.example:3128 ');
  expect(HttpProxy.of('proxy.example', 'X', true)).toMatchObject({ host: 'proxy.example', port: 80, secure: false });
  expect(HttpProxy.of('https://[2001:db8::1]', 'X', true)).toMatchObject({
    host: '2001:db8::1',
    port: 443,
    secure: true,
  });
});

it.each([
  'socks5://canary:1080',
  'http://',
  'http://user:canary%zz@proxy',
  'http://user:canary@pro xy',
  'unix:///run/canary',
])('what is no address of an HTTP proxy is refused, with the variable and nothing of its value: %s', (value) => {
  const refused = attempt(() => Egress.ofEnvironment({ https_proxy: value }));
  expect(refused).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('https_proxy') });
  expect(`${refused?.message} ${refused?.fix}`).not.toMatch(/canary|user:%/);
});

it('user and password show in no printed form of a proxy, and go into its header percent-decoded', () => {
  const proxy = HttpProxy.of('http://us%40er:canary%3Apass@proxy.example:3128', 'HTTPS_PROXY', true);
  const [, encoded = ''] = (proxy.headers['Proxy-Authorization'] ?? '').split(' ');
  expect(Buffer.from(encoded, 'base64').toString()).toBe('us@er:canary:pass');
  for (const shown of [inspect(proxy, { depth: 9, showHidden: true }), JSON.stringify(proxy), proxy.origin]) {
    expect(shown).not.toMatch(/canary|us@er|us%40er/);
    expect(shown).not.toContain(encoded);
  }
});

it('loopback is never behind a proxy, however it is written', () => {
  for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '::1', '[::1]']) {
    expect(way({ HTTPS_PROXY }, host)).toBe('direct by loopback');
  }
  expect(way({ HTTPS_PROXY }, 'localhost.example')).toContain('proxy.example');
});

it('a proxy that is meant for one thing alone takes it whatever NO_PROXY says', () => {
  const egress = Egress.through(HttpProxy.of(HTTPS_PROXY, 'VAULT_PROXY_ADDR', false));
  expect(egress.wayTo('127.0.0.1', 8200)).toMatchObject({ proxy: { source: 'VAULT_PROXY_ADDR' } });
});

it.each([
  ['*', 'vault.example', true],
  ['vault.example', 'vault.example', true],
  ['vault.example', 'VAULT.example.', true],
  ['example', 'vault.example', true],
  ['.example', 'vault.example', true],
  ['.vault.example', 'vault.example', false],
  ['*.example', 'vault.example', true],
  ['*.vault.example', 'vault.example', false],
  ['*vault.example', 'vault.example', false],
  ['ault.example', 'vault.example', false],
  ['other, vault.example ,', 'vault.example', true],
  ['vault.example:8200', 'vault.example', true],
  ['vault.example:443', 'vault.example', false],
  ['10.0.0.0/8', '10.20.30.40', true],
  ['10.0.0.0/8', '11.20.30.40', false],
  ['10.20.30.40', '10.20.30.40', true],
  ['10.20.30.40:8200', '10.20.30.40', true],
  ['10.20.30.40:443', '10.20.30.40', false],
  ['fd00::/8', 'fd12::1', true],
  ['fd12:0:0::1', 'fd12::1', true],
  ['[fd12::1]:8200', 'fd12::1', true],
  ['[fd12::1]:443', 'fd12::1', false],
  ['10.0.0.0/33', '10.20.30.40', false],
  ['/', 'vault.example', false],
  ['', 'vault.example', false],
])('NO_PROXY=%s spares %s: %s', (entry, host, spared) => {
  expect(isExempt(entry, host, 8200)).toBe(spared);
  const bracketed = host.includes(':') ? `[${host}]` : host;
  expect(way({ HTTPS_PROXY, no_proxy: entry }, bracketed).startsWith('direct')).toBe(spared);
});

function attempt(act: () => unknown) {
  try {
    act();
    return null;
  } catch (error) {
    return isKeyturnError(error) ? error : null;
  }
}
