import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer } from '../desk/desk.ts';
import type { Doom } from './doom.ts';
import type { Order, Told, Wish } from './wish.ts';

const SCRIPT = fileURLToPath(new URL('./victim.ts', import.meta.url));
/** What one process has made of our sources the next ones need not make again. */
const COMPILED = fileURLToPath(new URL('../../../../.cache/compile', import.meta.url));
/** There is no link to follow among our sources and packages, and looking for one at every module takes its time. */
const ARGV = ['--preserve-symlinks', '--preserve-symlinks-main'];

/** A server in a process of its own that may end itself at any point of a rotation. */
export class VictimProcess {
  readonly #child: ChildProcess;
  readonly #loaded: Promise<unknown>;
  readonly ended: Promise<unknown>;
  #turn: Promise<unknown> = Promise.resolve();
  gone = false;

  /** @param modules URLs of what it will need besides, loaded with the rest. */
  constructor(modules: readonly string[]) {
    const env = { NODE_COMPILE_CACHE: COMPILED, ...process.env };
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
    this.#child = fork(SCRIPT, modules, { execArgv: ARGV, env, stdio: [...stdio], serialization: 'advanced' });
    this.ended = once(this.#child, 'exit').then(() => {
      this.gone = true;
    });
    this.#loaded = once(this.#child, 'message');
  }

  /** The URL, if it listens; false when it died before that. @throws Error when the instance is refused. */
  async open(home: string, listening: boolean, doom: Doom): Promise<string | null | false> {
    await Promise.race([this.#loaded, this.ended]);
    const told = await this.#ask({ open: home, listening, doom });
    return told !== null && 'url' in told ? told.url : false;
  }

  /** Where it is to die from now on. */
  dieAt(points: Doom['points']): void {
    if (!this.gone) this.#child.send({ points } satisfies Order, () => undefined);
  }

  /** Certificate and revocation list of a built-in authority; null when it died. */
  async list(issuer: string): Promise<{ readonly ca: string; readonly crl: string } | null> {
    const told = await this.#ask({ list: issuer });
    return told !== null && 'ca' in told ? told : null;
  }

  /** Null when it died. */
  async wish(wish: Wish): Promise<Answer | null> {
    const told = await this.#ask({ wish });
    return told !== null && 'answer' in told ? told.answer : null;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #ask(order: Order): Promise<Told | null> {
    const mine = this.#turn.then(async () => {
      if (this.gone) return null;
      const answer = once(this.#child, 'message') as Promise<[Told]>;
      this.#child.send(order, () => undefined);
      const told = await Promise.race([answer.then(([message]) => message), this.ended.then(() => null)]);
      if (told !== null && 'refused' in told) throw new Error(`The server refused: ${told.refused}`);
      return told;
    });
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}
