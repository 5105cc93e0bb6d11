import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { sendPieces } from '../../../src/server/http/pieces.ts';

test('whoever stops reading is cut off, and what makes the pieces ends', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, response) => asked.resolve(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  client.pause();
  let made = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        made += 1;
        yield Buffer.alloc(65_536);
      }
    } finally {
      ended = true;
    }
  }
  const response = await asked.promise;
  await sendPieces(response, endless(), 200);
  expect(response.destroyed).toBe(true);
  expect(ended).toBe(true);
  // No more than the buffers of two sockets take.
  expect(made).toBeLessThan(1000);
  client.destroy();
  server.close();
});
