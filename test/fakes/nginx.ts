import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Identity } from './call.ts';
import { configuration } from './nginx/configuration.ts';
import { NginxProcess } from './nginx/process.ts';

export interface NginxOptions {
  /** Certificate (chain behind it) and key of the server. */
  readonly serverCert: Identity;
  /** Whom client certificates must come from: every CA up to the root. */
  readonly clientCaPem: string;
  /** A CRL for every CA in `clientCaPem`; without it nothing is checked for revocation. */
  readonly crlPem?: string;
  /** Default: on. */
  readonly verify?: 'on' | 'optional';
  /** Default: 1.2 and 1.3. */
  readonly tls?: readonly ('TLSv1.2' | 'TLSv1.3')[];
  /** What `/body` answers; at most 4,000 printable ASCII characters, no `$`. */
  readonly upstreamBody?: string;
  /** Default: 60. 0 turns keep-alive off. */
  readonly keepaliveSeconds?: number;
  /** Session tickets and a shared session cache. Default: off. */
  readonly resumption?: boolean;
}

export interface Nginx {
  /** `https://localhost:…`, no slash at the end. */
  readonly url: string;
  /** Of the master process. */
  readonly pid: number;
  /** Puts a new CRL in force. Settled when the old worker is gone, and its connections with it. */
  reload(crlPem: string): Promise<void>;
  /** Settled when all its processes and files are gone. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const answerSchema = z.strictObject({
  /** Lower-case hex; empty without a certificate. */
  serial: z.string().transform((hex) => hex.toLowerCase().replace(/^0+/, '')),
  /** `SUCCESS`, `NONE`, or `FAILED:` and the reason. */
  verify: z.string(),
  resumed: z.enum(['r', '.']).transform((mark) => mark === 'r'),
  protocol: z.string(),
  /** Numbers the connections. */
  connection: z.string(),
});

/** What every path but `/body` answers with. */
export function parseNginxAnswer(body: string): z.infer<typeof answerSchema> {
  return answerSchema.parse(JSON.parse(body));
}

/**
 * The system's nginx as an mTLS server on loopback, with one worker, its files in a fresh directory under the system's
 * temporary one. It accepts any certificate in the handshake and answers HTTP 400 to one that it does not like.
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  // `$` would name a variable and can't be escaped; nginx reads 4,096 bytes of a parameter at most.
  if (!/^[\x20-\x23\x25-\x7e]{0,4000}$/.test(options.upstreamBody ?? '')) {
    throw new Error('upstreamBody: at most 4,000 printable ASCII characters, no dollar sign.');
  }
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
  // The worker is another user when root starts nginx.
  await chmod(folder, 0o711);
  await writeFile(join(folder, 'server.crt'), options.serverCert.certificatePem);
  await writeFile(join(folder, 'server.key'), options.serverCert.keyPem, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), options.clientCaPem);
  if (options.crlPem !== undefined) await writeFile(join(folder, 'crl.pem'), options.crlPem);
  try {
    return await startOnFreePort(folder, options);
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

/** nginx can't say which port it got from the system, so it is told one that was free just now. */
async function startOnFreePort(folder: string, options: NginxOptions): Promise<Nginx> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, options));
    const nginx = new NginxProcess(folder, port, options);
    try {
      await nginx.started();
      return nginx;
    } catch (error) {
      if (attempt === 5 || !(error instanceof Error && error.message.includes('Address already in use'))) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
