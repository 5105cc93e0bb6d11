import { constants } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

/** The partner in a process of its own: an mTLS server that answers every request with 3 KB of JSON. */

const startSchema = z.object({ key: z.string(), cert: z.string(), ca: z.string() });
const BODY = Buffer.from(JSON.stringify({ banks: 'x'.repeat(3_060) }));

process.once('message', (message) => {
  const { key, cert, ca } = startSchema.parse(message);
  const options = {
    key,
    cert,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  const server = createServer(options, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
});
process.once('disconnect', () => process.exit());
