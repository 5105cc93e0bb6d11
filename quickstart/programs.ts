import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Narrator } from './narrator.ts';

const KEYTURN = fileURLToPath(new URL('../bin/keyturn.mjs', import.meta.url));
const SERVICE = fileURLToPath(new URL('./service.ts', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Runs `keyturn …` in a process of its own, as a person would at a terminal, and shows both sides. */
export class Keyturn {
  readonly #narrator: Narrator;
  readonly #home: string;

  constructor(narrator: Narrator, home: string) {
    this.#narrator = narrator;
    this.#home = home;
  }

  /** @throws Error when the exit code is not the expected one. */
  async run(args: readonly string[], expected: { readonly code?: number; readonly lines?: number } = {}): Promise<Ran> {
    this.#narrator.command(`keyturn ${args.map((arg) => (/[\s"]/.test(arg) ? JSON.stringify(arg) : arg)).join(' ')}`);
    const { code, out } = await this.quietly(args);
    this.#narrator.output(out, expected.lines);
    if (code !== (expected.code ?? 0)) throw new Error(`keyturn ${args[0]} ended with ${code}`);
    return { code, out };
  }

  /** Without showing it, whatever its exit code. */
  async quietly(args: readonly string[]): Promise<Ran> {
    const child = spawn(process.execPath, [KEYTURN, ...args], {
      cwd: this.#home,
      env: { ...process.env, KEYTURN_HOME: this.#home, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        out += chunk.toString('utf8');
      });
    }
    const [code] = (await once(child, 'close')) as [number];
    return { code, out };
  }

  /** Starts the server; resolves when it listens. */
  async server(): Promise<ChildProcess> {
    this.#narrator.command('keyturn server &');
    const child = spawn(process.execPath, [KEYTURN, 'server'], {
      cwd: this.#home,
      env: { ...process.env, KEYTURN_HOME: this.#home },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      this.#narrator.output(line);
      if (line.startsWith('Listening')) return child;
    }
    throw new Error('The server ended before it listened.');
  }
}

/** What the service process tells about its calls to the partner. */
export interface Told {
  readonly kind: 'started' | 'call' | 'event' | 'ended';
  readonly ok?: boolean;
  readonly status?: number;
  readonly url?: string;
  readonly code?: string;
  readonly text?: string;
}

/** The payments service: a process of its own, without a key file. */
export class Service {
  readonly told: Told[] = [];
  readonly #child: ChildProcess;

  constructor(home: string, urls: readonly string[]) {
    this.#child = spawn(process.execPath, [SERVICE, ...urls], { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => this.told.push(JSON.parse(line) as Told));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  calls(): Told[] {
    return this.told.filter(({ kind }) => kind === 'call');
  }

  /** Resolves when `holds` is true of what the service told; looks every 20 ms, for at most `seconds`. */
  async until(holds: (told: readonly Told[]) => boolean, seconds = 30): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!holds(this.told)) {
      if (Date.now() > end) throw new Error('The service did not tell what was expected.');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'close');
  }
}
