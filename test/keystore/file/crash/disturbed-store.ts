import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./store-process.ts', import.meta.url));

/** A store in a process of its own, whose file calls all come from one thread. */
export class StoreProcess {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string[]>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.process = child;
    const lines = createInterface({ input: child.stdout });
    this.#lines = on(lines, 'line', { close: ['close'] }) as AsyncIterator<string[]>;
  }

  static async start(path: string, masterPath: string): Promise<StoreProcess> {
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
    const child = spawn(process.execPath, [PROGRAM, path, masterPath], { env });
    child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
    child.stdin.on('error', () => {});
    onTestFinished(() => void child.kill('SIGKILL'));
    const started = new StoreProcess(child);
    const first = await started.line();
    if (first !== 'ready') throw new Error(`the store process did not start: ${first}`);
    return started;
  }

  /** The next line it says; `ended` when it says no more. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done === true ? 'ended' : value[0]!;
  }

  async tell(command: string): Promise<string> {
    this.process.stdin.write(`${command}\n`);
    return this.line();
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  /** The thread that does its file calls. */
  fileThread(): string {
    const tasks = `/proc/${this.process.pid}/task`;
    const thread = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8') === 'libuv-worker\n');
    if (thread === undefined) throw new Error('no thread of the file calls was found');
    return thread;
  }

  /** Attaches strace to that thread. @returns a function that detaches and gives the calls it saw, one a line. */
  async strace(...options: string[]): Promise<() => Promise<string[]>> {
    const strace: ChildProcess = spawn('strace', ['-y', '-p', this.fileThread(), ...options], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let seen = '';
    const attached = Promise.withResolvers<void>();
    strace.on('error', () => attached.reject(new Error('strace is missing: apt-get install strace')));
    strace.stderr!.on('data', (text: Buffer) => {
      seen += text.toString();
      if (seen.includes('attached')) attached.resolve();
    });
    const closed = once(strace, 'close').then(() => attached.reject(new Error(`strace did not attach: ${seen}`)));
    await attached.promise;
    return async () => {
      strace.kill('SIGINT');
      await closed;
      return seen.split('\n').filter((line) => /^\w+\(/.test(line));
    };
  }
}
