import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const KEYTURN = fileURLToPath(new URL('../../../bin/keyturn.mjs', import.meta.url));
const SERVICE = fileURLToPath(new URL('./service.ts', import.meta.url));

/** The runtime's own tools, which look into a process without a word of its program: both write into `folder`. */
function lookedInto(folder: string): string[] {
  // The report would ask the name service about every socket.
  const report = ['--report-on-signal', '--report-signal=SIGWINCH', '--report-exclude-network'];
  const into = [`--diagnostic-dir=${folder}`, `--report-directory=${folder}`];
  return ['--heapsnapshot-signal=SIGUSR2', ...report, ...into];
}

/** A process of which all output is kept. */
abstract class Watched {
  readonly child: ChildProcess;
  readonly #folder: string;
  #output = Buffer.alloc(0);

  constructor(child: ChildProcess, folder: string) {
    this.child = child;
    this.#folder = folder;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = Buffer.concat([this.#output, chunk]);
      });
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get output(): Buffer {
    return this.#output;
  }

  heapSnapshot(): Promise<Buffer> {
    return this.#made('SIGUSR2', '.heapsnapshot');
  }

  /** `process.report.getReport()`, as JSON. */
  report(): Promise<Buffer> {
    return this.#made('SIGWINCH', '.json');
  }

  /** Resolves with the file when it is there as a whole: both kinds are one JSON document. */
  async #made(signal: NodeJS.Signals, ending: string): Promise<Buffer> {
    const before = new Set(await readdir(this.#folder));
    this.child.kill(signal);
    for (;;) {
      await sleep(50);
      const name = (await readdir(this.#folder)).find((each) => each.endsWith(ending) && !before.has(each));
      const content = name === undefined ? Buffer.alloc(0) : await readFile(join(this.#folder, name));
      if (isWhole(content)) return content;
      if (this.child.exitCode !== null) throw new Error(`The process ended: ${this.#output.toString('utf8')}`);
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }
}

function isWhole(content: Buffer): boolean {
  if (!/\}\s*$/.test(content.subarray(-8).toString('latin1'))) return false;
  try {
    return typeof JSON.parse(content.toString('utf8')) === 'object';
  } catch {
    return false;
  }
}

/** `keyturn server`, as a person starts it. */
export class ServerProgram extends Watched {
  static async start(home: string, folder: string, temporary: string): Promise<ServerProgram> {
    const child = spawn(process.execPath, [...lookedInto(folder), KEYTURN, 'server'], {
      env: { PATH: process.env['PATH'], KEYTURN_HOME: home, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProgram(child, folder);
    while (!server.output.includes('Listening')) {
      if (child.exitCode !== null) throw new Error(`The server did not start: ${server.output.toString('utf8')}`);
      await sleep(20);
    }
    return server;
  }
}

/** The service of `service.ts`. */
export class ServiceProgram extends Watched {
  readonly #ended = once(this.child, 'exit');

  static async start(
    args: readonly [connection: string, token: string, url: string],
    folder: string,
    temporary: string,
  ): Promise<ServiceProgram> {
    const child = fork(SERVICE, args, {
      execArgv: ['--expose-gc', ...lookedInto(folder)],
      env: { PATH: process.env['PATH'], TMPDIR: temporary },
      serialization: 'advanced',
      silent: true,
    });
    const service = new ServiceProgram(child, folder);
    await service.#answer();
    return service;
  }

  /** Octets when the order is to show something. */
  async order(order: string, text?: string): Promise<Buffer> {
    const answer = this.#answer();
    this.child.send({ order, text });
    return answer;
  }

  async #answer(): Promise<Buffer> {
    const message = once(this.child, 'message') as Promise<[{ result?: unknown; failed?: string }]>;
    const [told] = await Promise.race([message, this.#ended.then(() => [{ failed: 'It ended.' }] as const)]);
    if (told.failed !== undefined) throw new Error(told.failed);
    return told.result instanceof Uint8Array ? Buffer.from(told.result) : Buffer.alloc(0);
  }
}
