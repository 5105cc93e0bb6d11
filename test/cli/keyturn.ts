import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { TestInstance } from '../e2e/instance.ts';

export const KEYTURN = fileURLToPath(new URL('../../bin/keyturn.mjs', import.meta.url));

/** What one command printed, and how it ended. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The error that a command with --json printed on standard error. */
export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly fix?: string };
}

/** Runs `keyturn …` in a process of its own, in a folder of its own; no terminal. */
export class Keyturn implements AsyncDisposable {
  /** Where commands run and put their files. */
  readonly folder: string;
  readonly home: string;
  /** Texts that no output may hold, in any case. */
  readonly #secrets: string[] = [];
  /** All that was ever printed. */
  #transcript = '';

  private constructor(folder: string, home: string) {
    this.folder = folder;
    this.home = home;
  }

  static async at(home?: string): Promise<Keyturn> {
    const folder = await mkdtemp(join(tmpdir(), 'kt-'));
    return new Keyturn(folder, home ?? join(folder, 'home'));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string | Buffer, mode = 0o600): Promise<string> {
    await writeFile(this.path(name), content, { mode });
    return this.path(name);
  }

  /** No output may hold it, neither before nor from now on: as it is, in hex, in base64 at any offset, nor any whole line of it. */
  guard(secret: string | Buffer): void {
    const octets = Buffer.from(secret);
    const lines = octets
      .toString('latin1')
      .split('\n')
      .filter((line) => line.length >= 16 && !line.startsWith('-----'));
    this.#secrets.push(octets.toString('hex'), ...lines);
    for (let offset = 0; offset < 3; offset += 1) {
      this.#secrets.push(
        octets.subarray(offset, offset + 3 * Math.floor((octets.length - offset) / 3)).toString('base64'),
      );
    }
    this.#expectSecrecy();
  }

  #expectSecrecy(): void {
    const told = this.#secrets.find((secret) => this.#transcript.includes(secret));
    expect(told === undefined, `a secret in:\n${told === undefined ? '' : this.#transcript}`).toBe(true);
  }

  async run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const { KEYTURN_CONNECTION: _a, KEYTURN_TOKEN_FILE: _b, CREDENTIALS_DIRECTORY: _c, ...inherited } = process.env;
    const child = spawn(process.execPath, [KEYTURN, ...args], {
      cwd: this.folder,
      env: { ...inherited, KEYTURN_HOME: this.home, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    this.#transcript += `keyturn ${args.join(' ')}\n${out}${err}`;
    this.#expectSecrecy();
    return { code, out, err };
  }

  /** With --json: exactly one document on standard output, nothing on standard error. */
  async json<T = Record<string, unknown>>(args: readonly string[], code = 0): Promise<T> {
    const ran = await this.run([...args, '--json']);
    expect(ran, args.join(' ')).toMatchObject({ code, err: '' });
    return JSON.parse(ran.out) as T;
  }

  /** With --json: one document on standard error, nothing on standard output. */
  async refusal(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const { code, out, err } = await this.run([...args, '--json'], environment);
    expect(out).toBe('');
    return { exit: code, ...(JSON.parse(err) as Refusal).error };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A served instance and a terminal beside it, whose administrator is `alice`. */
export async function served(
  options: Parameters<typeof TestInstance.start>[0] = {},
): Promise<{ instance: TestInstance; keyturn: Keyturn; stop: () => Promise<void> }> {
  const instance = await TestInstance.start(options);
  const keyturn = await Keyturn.at(instance.home);
  keyturn.guard(instance.admin);
  const stop = async () => {
    await instance.stop();
    await keyturn[Symbol.asyncDispose]();
  };
  return { instance, keyturn, stop };
}
