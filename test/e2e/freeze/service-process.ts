import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SERVICE = fileURLToPath(new URL('./service.ts', import.meta.url));

/** What the service tells. `at`: milliseconds since the epoch; for a call, when it began. */
export interface Told {
  readonly kind: 'leased' | 'renewed' | 'alarm' | 'ended' | 'call';
  readonly at: number;
  readonly ok?: boolean;
  /** Of an error: the reason that Keyturn's library gives. */
  readonly code?: string;
  readonly expiresAt?: string;
}

/** A running service that has a lease. */
export class ServiceProcess implements AsyncDisposable {
  readonly told: Told[] = [];
  readonly #child: ChildProcess;
  #errors = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => this.told.push(JSON.parse(line) as Told));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString('utf8');
    });
  }

  /** Of an instance in `home`, with this API token, towards this partner. */
  static async start(home: string, token: string, url: string): Promise<ServiceProcess> {
    const tokenFile = join(home, 'admin', 'service.token');
    await writeFile(tokenFile, token, { mode: 0o600 });
    const args = [SERVICE, join(home, 'admin', 'connection.json'), tokenFile, url];
    const service = new ServiceProcess(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    await service.next((told) => told.ok === true);
    return service;
  }

  /** The first of its kind from place `from` on, as soon as it is told. */
  async next(wanted: (told: Told) => boolean, from = 0): Promise<Told> {
    for (;;) {
      const found = this.told.slice(from).find(wanted);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new Error(`The service ended: ${this.#errors}`);
      await sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'close');
  }
}
