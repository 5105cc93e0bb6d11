import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type freshPlace, ORIGIN } from '../place.ts';
import type { FromChild, ToChild } from './child-messages.ts';

const SCRIPT = fileURLToPath(new URL('./fault-child.ts', import.meta.url));

export type Kind = FromChild['kind'];
export type Message<K extends Kind> = Extract<FromChild, { kind: K }>;

/** The process of fault-child.ts, seen from the test. */
export class LedgerChild {
  readonly #process: ChildProcess;
  readonly #news = new EventEmitter();
  readonly heard: FromChild[] = [];

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.on('message', (message: FromChild) => {
      this.heard.push(message);
      this.#news.emit('news');
    });
    child.on('exit', () => this.#news.emit('news'));
  }

  /** `limitFileKiB` sets RLIMIT_FSIZE. */
  static async start(
    place: Pick<Awaited<ReturnType<typeof freshPlace>>, 'path' | 'signer'>,
    { stallAfterMs = 2000, limitFileKiB }: { stallAfterMs?: number; limitFileKiB?: number } = {},
  ): Promise<LedgerChild> {
    const command = limitFileKiB === undefined ? '' : `ulimit -f ${limitFileKiB}; `;
    const child = spawn('bash', ['-c', `${command}exec "$0" "$1"`, process.execPath, SCRIPT], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const started = new LedgerChild(child);
    const key = place.signer.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    child.send({ path: place.path, origin: ORIGIN, key, stallAfterMs });
    await started.next('ready');
    return started;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  tell(kind: ToChild['kind']): void {
    this.#process.send({ kind } satisfies ToChild);
  }

  all<K extends Kind>(kind: K): Message<K>[] {
    return this.heard.filter((message): message is Message<K> => message.kind === kind);
  }

  /** The next message of this kind after `from` of them. */
  async next<K extends Kind>(kind: K, from = 0): Promise<Message<K>> {
    for (;;) {
      const message = this.all(kind)[from];
      if (message !== undefined) return message;
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw new Error('the child has ended');
      await once(this.#news, 'news');
    }
  }

  /** Asks and waits for the answer of that kind. */
  ask<K extends Kind>(question: ToChild['kind'], kind: K): Promise<Message<K>> {
    const from = this.all(kind).length;
    this.tell(question);
    return this.next(kind, from);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}
