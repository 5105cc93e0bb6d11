import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Identity } from '../call.ts';
import { freePort } from './free-port.ts';

export interface ProcessOptions {
  readonly server: Identity;
  /** Roots of client certificates, and of the nodes of a cluster. */
  readonly caPem: string;
  /** `raft` for a node of a cluster, by this name. Default: in memory. */
  readonly raftNode?: string;
}

/** One `bao server` in a folder of its own, listening on 127.0.0.1 with TLS; neither initialised nor unsealed. */
export class OpenBaoProcess {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #log: string[] = [];

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
    this.#exited = once(child, 'close').catch(() => {});
  }

  static async start(options: ProcessOptions): Promise<OpenBaoProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'openbao-'));
    const [port, clusterPort] = [await freePort(), await freePort()];
    await mkdir(join(folder, 'raft'));
    await writeFile(join(folder, 'server.crt'), options.server.certificatePem);
    await writeFile(join(folder, 'server.key'), options.server.keyPem, { mode: 0o600 });
    await writeFile(join(folder, 'ca.pem'), options.caPem);
    await writeFile(join(folder, 'server.hcl'), configuration(folder, port, clusterPort, options.raftNode));
    const child = spawn('bao', ['server', `-config=${join(folder, 'server.hcl')}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started = new OpenBaoProcess(`https://127.0.0.1:${port}`, folder, child);
    try {
      await started.#listening();
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  /** What it wrote so far, also after it ended. */
  get log(): string {
    return this.#log.join('\n');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Lines of the audit device. */
  get auditFile(): string {
    return join(this.#folder, 'audit.log');
  }

  /** Frozen or going on: connections stand, nothing is answered. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
    await rm(this.#folder, { recursive: true, force: true });
  }

  #listening(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const killed = () => this.#child.kill('SIGKILL');
    process.once('exit', killed);
    this.#child.on('error', () => reject(new Error('bao could not be started. Run: node scripts/setup.mjs test')));
    this.#child.on('close', () => {
      process.removeListener('exit', killed);
      reject(new Error(`bao ended before it listened:\n${this.log}`));
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        this.#log.push(line);
        if (line.includes('OpenBao server started!')) resolve();
      });
    }
    return promise;
  }
}

function configuration(folder: string, port: number, clusterPort: number, raftNode: string | undefined): string {
  const storage =
    raftNode === undefined
      ? 'storage "inmem" {}'
      : `storage "raft" {\n  path = "${join(folder, 'raft')}"\n  node_id = "${raftNode}"\n  performance_multiplier = 1\n}`;
  return `${storage}
listener "tcp" {
  address = "127.0.0.1:${port}"
  cluster_address = "127.0.0.1:${clusterPort}"
  tls_cert_file = "${join(folder, 'server.crt')}"
  tls_key_file = "${join(folder, 'server.key')}"
  tls_client_ca_file = "${join(folder, 'ca.pem')}"
}
audit "file" "file" {
  options { file_path = "${join(folder, 'audit.log')}" }
}
api_addr = "https://127.0.0.1:${port}"
cluster_addr = "https://127.0.0.1:${clusterPort}"
`;
}
