import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./server-child.ts', import.meta.url));

type Told = { readonly loaded: true } | { readonly url: string } | { readonly refused: string };

/** A server in a process of its own, with one thread for files, so that its system calls come in one order. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #loaded: Promise<unknown>;
  readonly #ended: Promise<unknown>;

  constructor() {
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
    this.#child = fork(SCRIPT, [], { execArgv: [], env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#ended = once(this.#child, 'exit');
    this.#loaded = once(this.#child, 'message');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the process is gone, however it went. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  /** Resolves when nothing but opening the instance is left to do. */
  async loaded(): Promise<void> {
    await this.#loaded;
  }

  /** The URL; null when the process was killed before it listened. @throws Error when the instance is refused. */
  async serve(home: string): Promise<string | null> {
    const loaded = await Promise.race([this.#loaded, this.#ended.then(() => null)]);
    if (loaded === null) return null;
    const answer = once(this.#child, 'message') as Promise<[Told]>;
    this.#child.send({ home });
    const told = await Promise.race([answer.then(([message]) => message), this.#ended.then(() => null)]);
    if (told === null) return null;
    if ('refused' in told) throw new Error(`The server did not start again: ${told.refused}`);
    return 'url' in told ? told.url : null;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
