import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Doom } from './doom.ts';
import type { Order, Told } from './victim.ts';

const SCRIPT = fileURLToPath(new URL('./victim.ts', import.meta.url));
/** What one process has made of our sources the next ones need not make again. */
const COMPILED = join(tmpdir(), 'keyturn-compile-cache');

/** A server in a process of its own that may end itself at any point of a rotation. */
export class VictimProcess {
  readonly #child: ChildProcess;
  readonly #loaded: Promise<unknown>;
  readonly ended: Promise<unknown>;
  gone = false;

  constructor() {
    const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED };
    this.#child = fork(SCRIPT, [], { execArgv: [], env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.ended = once(this.#child, 'exit').then(() => {
      this.gone = true;
    });
    this.#loaded = once(this.#child, 'message');
  }

  /** The URL; null when it died before it listened. @throws Error when the instance is refused. */
  async serve(home: string, doom: Doom): Promise<string | null> {
    await Promise.race([this.#loaded, this.ended]);
    const told = await this.#ask({ serve: home, doom });
    return told !== null && 'url' in told ? told.url : null;
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

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  async #ask(order: Order): Promise<Told | null> {
    if (this.gone) return null;
    const answer = once(this.#child, 'message') as Promise<[Told]>;
    this.#child.send(order, () => undefined);
    const told = await Promise.race([answer.then(([message]) => message), this.ended.then(() => null)]);
    if (told !== null && 'refused' in told) throw new Error(`The server refused: ${told.refused}`);
    return told;
  }
}
