import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Identity } from './call.ts';

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(program, args, { stdio: 'pipe' });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { exitCode, stdout, stderr };
}

export interface Folder {
  readonly path: (name: string) => string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A fresh folder with these files, for programs that take nothing else; owner-only, removed when disposed. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<Folder> {
  const folder = await mkdtemp(join(tmpdir(), 'fakes-'));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content, { mode: 0o600 });
  }
  return {
    path: (name) => join(folder, name),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface OpensslServerOptions {
  readonly server: Identity;
  readonly clientCaPem: string;
  /** Of the CA that issues the clients. */
  readonly crlPem: string;
  readonly tls: 'TLSv1.2' | 'TLSv1.3';
}

export interface OpensslServer {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `openssl s_server`, which refuses client certificates inside the handshake, by alert. */
export async function startOpensslServer(options: OpensslServerOptions): Promise<OpensslServer> {
  const folder = await folderWith({
    'server.crt': options.server.certificatePem,
    'server.key': options.server.keyPem,
    'ca.pem': options.clientCaPem,
    'crl.pem': options.crlPem,
  });
  const { path } = folder;
  const identity = ['-cert', path('server.crt'), '-cert_chain', path('server.crt'), '-key', path('server.key')];
  const verify = ['-Verify', '4', '-verify_return_error', '-CAfile', path('ca.pem'), '-CRL', path('crl.pem')];
  const version = options.tls === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
  const child = spawn(
    'openssl',
    ['s_server', '-accept', '127.0.0.1:0', '-www', version, '-crl_check', ...identity, ...verify],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const closed = once(child, 'close');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const port = await acceptedPort(createInterface(child.stdout));
  return {
    url: `https://localhost:${port}`,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', kill);
      kill();
      await closed;
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function acceptedPort(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error('openssl s_server ended before it listened.');
}
