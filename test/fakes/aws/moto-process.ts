import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** moto's server on loopback: AWS Secrets Manager and AWS KMS in memory, for any region and without permissions. */
export class MotoProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #kill: () => void;

  private constructor(url: string, child: ChildProcess, kill: () => void) {
    this.url = url;
    this.#child = child;
    this.#kill = kill;
    this.#exited = child.exitCode === null && child.signalCode === null ? once(child, 'close') : Promise.resolve();
  }

  static async start(): Promise<MotoProcess> {
    const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    return new MotoProcess(await listening(child), child, kill);
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.#kill);
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

function listening(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const log: string[] = [];
  child.on('error', () => reject(new Error('moto_server could not be started. Run: node scripts/setup.mjs test')));
  child.on('close', () => reject(new Error(`moto_server ended before it listened:\n${log.join('\n')}`)));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface(stream).on('line', (line) => {
      if (log.length < 100) log.push(line);
      const url = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  }
  return promise;
}
