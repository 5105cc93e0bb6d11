import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from '../../src/tls/listen.ts';
import { listening, stopped } from './connect.ts';

test('a port that is taken is told as that, an address that is none as that', async () => {
  const taken = createServer();
  await listening(taken);
  const { port } = taken.address() as AddressInfo;
  const other = createServer();
  await expect(listen(other, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'config_invalid',
    message: `Cannot listen on 127.0.0.1:${port}: another process listens there.`,
    fix: expect.stringContaining('listen.port'),
  });
  await stopped(taken);
});

test.each([
  // RFC 5737 and RFC 3849: addresses that no machine has.
  ['192.0.2.1', /^Cannot listen on 192\.0\.2\.1:0: this machine has no such address\.$/],
  ['2001:db8::1', /^Cannot listen on \[2001:db8::1\]:0: this machine has no /],
  ['127.0.0.1:8443', /^Cannot listen on 127\.0\.0\.1:8443:0: that name has no address\.$/],
])('of the address %s the advice names the member, not another port', async (host, message) => {
  await expect(listen(createServer(), { host, port: 0 })).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(message),
    fix: expect.stringContaining('Correct listen.host'),
  });
});

test('a port that was left open is one that is free', async () => {
  const server = createServer();
  expect(await listen(server, { host: '127.0.0.1', port: 0 })).toBeGreaterThan(0);
  await stopped(server);
});
