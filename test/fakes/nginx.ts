import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Identity } from './call.ts';

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

class NginxProcess implements Nginx {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #options: NginxOptions;
  readonly #child: ChildProcess;
  readonly #log: string[] = [];
  readonly #exited: Promise<unknown>;
  #onLine: () => void = () => {};

  constructor(folder: string, port: number, options: NginxOptions) {
    this.url = `https://localhost:${port}`;
    this.#folder = folder;
    this.#port = port;
    this.#options = options;
    this.#child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exited = once(this.#child, 'close').catch(() => {});
    const killed = () => this.#child.kill('SIGKILL');
    process.once('exit', killed);
    this.#child.on('error', (error) => this.#record(describe(error)));
    this.#child.on('close', () => {
      process.removeListener('exit', killed);
      this.#record('[emerg] nginx ended');
    });
    if (this.#child.stderr !== null) createInterface(this.#child.stderr).on('line', (line) => this.#record(line));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async started(): Promise<void> {
    await this.#until(/start worker process \d+/, 0);
  }

  async reload(crlPem: string): Promise<void> {
    const options = { ...this.#options, crlPem };
    await writeFile(join(this.#folder, 'crl.pem'), crlPem);
    await writeFile(join(this.#folder, 'nginx.conf'), configuration(this.#folder, this.#port, options));
    const from = this.#log.length;
    this.#child.kill('SIGHUP');
    await this.#until(/worker process \d+ exited with code 0/, from);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.#exited;
    await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #record(line: string): void {
    this.#log.push(line);
    this.#onLine();
  }

  /** Settled by the first such line from index `from` on; fails with the first `[emerg]` line. */
  #until(wanted: RegExp, from: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onLine = () => {
        const emergency = this.#log.slice(from).find((line) => line.includes('[emerg]'));
        if (emergency !== undefined) reject(new Error(emergency));
        if (this.#log.slice(from).some((line) => wanted.test(line))) resolve();
      };
      this.#onLine();
    });
  }
}

function describe(error: Error): string {
  const missing = 'code' in error && error.code === 'ENOENT';
  return `[emerg] ${missing ? 'nginx is not installed. Run: apt-get install -y nginx-light' : error.message}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function configuration(folder: string, port: number, options: NginxOptions): string {
  const { verify = 'on', tls = ['TLSv1.2', 'TLSv1.3'], upstreamBody = '', keepaliveSeconds = 60 } = options;
  const resumption = options.resumption ?? false;
  return `
daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  default_type application/json;
  keepalive_timeout ${keepaliveSeconds}s;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/server.crt;
    ssl_certificate_key ${folder}/server.key;
    ssl_protocols ${tls.join(' ')};
    ssl_client_certificate ${folder}/ca.pem;
    ssl_verify_client ${verify};
    ssl_verify_depth 4;
    ${options.crlPem === undefined ? '' : `ssl_crl ${folder}/crl.pem;`}
    ssl_session_tickets ${resumption ? 'on' : 'off'};
    ssl_session_cache ${resumption ? 'shared:sessions:1m' : 'off'};
    location = /body { return 200 ${quote(upstreamBody)}; }
    location / { return 200 ${quote(ANSWER)}; }
  }
}
`;
}

const ANSWER =
  '{"serial":"$ssl_client_serial","verify":"$ssl_client_verify","resumed":"$ssl_session_reused",' +
  '"protocol":"$ssl_protocol","connection":"$connection"}';

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
