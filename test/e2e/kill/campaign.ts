import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../../src/compose/config.ts';
import { initInstance } from '../../../src/compose/init.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { openInstance } from '../../../src/compose/open.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Acknowledged, Caller } from './caller.ts';
import { examine, readLog, verifyWhole } from './examine.ts';
import { ServerProcess } from './server-process.ts';
import { killAt, type Point } from './strace.ts';

/** Kills fall on a server's first work, as long as so many imports take: machines differ. */
const WORK_IMPORTS = 4;
/** What an answered request may still do in the background, milliseconds. */
const AFTERMATH_MS = 500;
/** About how long a server takes to open an instance, milliseconds. */
const OPENING_MS = 250;

export type Step = 'import' | 'companion' | 'lease';

export interface Figures {
  readonly kills: number;
  readonly entries: number;
  readonly acknowledged: Readonly<Record<Step, number>>;
  /** Checkpoints kept outside, which the log was verified against. */
  readonly checkpoints: number;
}

/** One instance that is killed again and again, and examined after each start. */
export class KillCampaign implements AsyncDisposable {
  readonly home: string;
  readonly #access: ConstructorParameters<typeof Caller>[1];
  readonly #acknowledged: Acknowledged[] = [];
  readonly #checkpoints: string[] = [];
  #entries: string[] = [];
  #spare = new ServerProcess();
  #kills = 0;
  #importMs = 0;

  private constructor(home: string, access: ConstructorParameters<typeof Caller>[1]) {
    this.home = home;
    this.#access = access;
  }

  static async start(): Promise<KillCampaign> {
    const home = await mkdtemp(join(tmpdir(), 'keyturn-kill-'));
    await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
    await bindService(join(home, 'policies', 'access', 'bindings.yaml'));
    const campaign = new KillCampaign(home, {
      serverCa: await readFile(join(home, 'listener', 'ca.crt'), 'utf8'),
      token: await readFile(join(home, 'admin', 'token'), 'utf8'),
      partner: await TestCa.create(),
    });
    // There is something to lease from the first round on.
    await campaign.#work(async (server, caller) => {
      const started = performance.now();
      await caller.import();
      campaign.#importMs = performance.now() - started;
      await server.kill();
    });
    return campaign;
  }

  /** Kills at a random moment while imports, companions and leases go on. */
  async killAtRandom(random: () => number): Promise<string[]> {
    await this.#work(async (server, caller, another) => {
      const delay = random() * WORK_IMPORTS * this.#importMs;
      await Promise.all([
        caller.until(
          server.ended,
          random() < 0.5 ? [caller.import, caller.companion] : [caller.companion, caller.import],
        ),
        another().until(server.ended, [caller.lease]),
        sleep(delay).then(() => server.kill()),
      ]);
    });
    // What the kill left is being settled when the next one comes.
    if (random() < 0.3) await this.#killWhileOpening(random() * OPENING_MS);
    return this.examine(false);
  }

  /** Kills at one system call of one step; null when the step was done without coming there. */
  async killAtPoint(step: Step, point: Point): Promise<string[] | null> {
    let reached = false;
    await this.#work(async (server, caller) => {
      await caller.lease();
      const tracer = await killAt(server.pid, point);
      await caller[step]();
      reached = await Promise.race([server.ended.then(() => true), sleep(AFTERMATH_MS).then(() => false)]);
      await server.kill();
      if (tracer.exitCode === null) tracer.kill('SIGKILL');
    });
    const faults = await this.examine(false);
    return reached ? faults : faults.length > 0 ? faults : null;
  }

  /** Opens the instance in this process, as a restart does, and looks at everything. */
  async examine(whole: boolean): Promise<string[]> {
    const memory = { acknowledged: this.#acknowledged, entries: this.#entries, checkpoints: this.#checkpoints };
    const instance = await openInstance(await loadConfig(this.home), { ask: cannotAsk });
    try {
      const log = await readLog(instance.desk.ledger);
      const faults = await examine(instance, log, memory);
      if (whole) faults.push(...(await verifyWhole(instance, log, memory)));
      this.#entries = log;
      return faults;
    } finally {
      await instance.close();
    }
  }

  get figures(): Figures {
    const count = (step: Step) => this.#acknowledged.filter(({ kind }) => kind === step).length;
    return {
      kills: this.#kills,
      entries: this.#entries.length,
      acknowledged: { import: count('import'), companion: count('companion'), lease: count('lease') },
      checkpoints: this.#checkpoints.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spare.kill();
    await rm(this.home, { recursive: true, force: true });
  }

  /** A server from its start to its death, and what was acknowledged meanwhile. */
  async #work(act: (server: ServerProcess, caller: Caller, another: () => Caller) => Promise<void>): Promise<void> {
    const server = await this.#nextServer();
    const url = await server.serve(this.home);
    if (url === null) throw new Error('The server ended by itself.');
    const callers: Caller[] = [];
    const another = () => {
      const caller = new Caller(url, this.#access);
      callers.push(caller);
      return caller;
    };
    await act(server, another(), another);
    await server.ended;
    this.#kills += 1;
    for (const { acknowledged } of callers) this.#acknowledged.push(...acknowledged);
    await this.#rememberCheckpoints();
  }

  async #killWhileOpening(delay: number): Promise<void> {
    const server = await this.#nextServer();
    await Promise.all([server.serve(this.home), sleep(delay).then(() => server.kill())]);
    this.#kills += 1;
    await this.#rememberCheckpoints();
  }

  /** While one works the next one loads its code. */
  async #nextServer(): Promise<ServerProcess> {
    const server = this.#spare;
    await server.loaded();
    this.#spare = new ServerProcess();
    return server;
  }

  async #rememberCheckpoints(): Promise<void> {
    const outside = await readFile(join(this.home, 'checkpoint', 'checkpoint'), 'utf8');
    const newest = this.#acknowledged.findLast((each) => each.kind === 'lease');
    this.#checkpoints.push(outside, ...(newest === undefined ? [] : [newest.checkpoint]));
  }
}

/** The administrator borrows too, so that one token does. */
async function bindService(path: string): Promise<void> {
  const { bindings } = parse(await readFile(path, 'utf8')) as { bindings: object[] };
  const service = {
    id: 'alice-service',
    role: 'service',
    principals: ['person:alice'],
    credentials: ['lean/*'],
    comment: 'test',
  };
  await writeFile(path, stringify({ bindings: [...bindings, service] }));
}
