import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { attachStrace, fileThread } from './strace.ts';

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

  /** Attaches strace to the thread that does its file calls, see {@link attachStrace}. */
  strace(...options: string[]): Promise<() => Promise<string[]>> {
    return attachStrace(fileThread(this.process.pid), options);
  }
}
