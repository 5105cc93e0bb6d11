import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Nginx, NginxOptions } from '../nginx.ts';
import { configuration } from './configuration.ts';

/** nginx in the foreground, followed by the notices it writes. */
export class NginxProcess implements Nginx {
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
