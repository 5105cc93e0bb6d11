import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { attachStrace, fileThread } from '../../../keystore/file/crash/strace.ts';
import type { CellResult, StoreUnderFault, Verb } from '../cell.ts';

const PROGRAM = fileURLToPath(new URL('./child.ts', import.meta.url));

/** Stores in a process of their own, see child.ts; its file calls all come from one thread. */
export class FileChild {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string[]>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = on(createInterface({ input: child.stdout }), 'line', { close: ['close'] }) as AsyncIterator<string[]>;
  }

  /** `under`: a command that starts what follows it, such as `prlimit --fsize=1000`. */
  static async start(under: readonly string[], masterPath: string, timeoutMs: number): Promise<FileChild> {
    const [command, ...rest] = [...under, process.execPath, PROGRAM, masterPath, String(timeoutMs)];
    const child = spawn(command, rest, { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
    child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
    child.stdin.on('error', () => {});
    const started = new FileChild(child);
    const first = await started.#line();
    if (first === 'ready') return started;
    throw new Error(`The store process did not start: ${JSON.stringify(first)}. It needs unshare and prlimit.`);
  }

  /** Its own file system, seen from here. */
  get root(): string {
    return `/proc/${this.#child.pid}/root`;
  }

  store(path: string): StoreUnderFault {
    return { run: (verb) => this.#ask(path, verb), close: async () => {} };
  }

  /** @returns a function that ends the fault, and gives what was injected. */
  async inject(call: string, fault: string): Promise<() => Promise<string[]>> {
    const options = ['-e', `trace=${call}`, '-e', `inject=${call}:${fault}`];
    const detach = await attachStrace(fileThread(this.#child.pid), options);
    return async () => (await detach()).filter((line) => /INJECTED|DELAYED|detached/.test(line));
  }

  /** Waits for changes under way. */
  async closeStores(): Promise<void> {
    await this.#tell('end');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #ask(path: string, verb: Verb): Promise<CellResult> {
    const { outcome, said } = (await this.#tell(`${path} ${verb}`)) as { outcome: string; said: string };
    return { outcome, said: Buffer.from(said, 'base64') };
  }

  /** One after another, in the order of asking. */
  #tell(line: string): Promise<unknown> {
    const answer = this.#turn.then(() => {
      this.#child.stdin.write(`${line}\n`);
      return this.#line();
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    return done === true ? 'it ended' : JSON.parse(value[0] ?? '');
  }
}
