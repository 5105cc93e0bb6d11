import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PersonsDesk, Shown } from './desk/desk.ts';
import { HttpsDesk } from './desk/https-desk.ts';
import { InnerDesk } from './desk/inner-desk.ts';
import { examineRotations, type Outside } from './examine.ts';
import { Person } from './scene/person.ts';
import { ISSUER, type Scene, type Setting, setScene } from './scene/scene.ts';
import { VictimProcess } from './victim/victim-process.ts';
import type { Way } from './ways.ts';

const LOOK_MS = 15;
/** Longest that one rotation may take on a machine that is busy, and what each of its ends may add. */
const LIMIT_MS = 120_000;
const LIMIT_AN_END_MS = 15_000;

export interface CampaignOptions extends Setting {
  /** The server listens, and people speak to it over HTTPS. */
  readonly listening: boolean;
  /** URLs of modules that every server loads besides. */
  readonly modules?: readonly string[];
}

export interface KillFigures {
  rotations: number;
  kills: number;
  /** Way, point → kills there. */
  readonly at: Record<string, number>;
}

/** One instance whose server is killed in the midst of its rotations, and the partner and the person around it. */
export class RotationCampaign implements AsyncDisposable {
  readonly figures: KillFigures = { rotations: 0, kills: 0, at: {} };
  readonly scene: Scene;
  readonly #options: CampaignOptions;
  readonly #person: Person;
  #spare: VictimProcess;
  #server: VictimProcess | null = null;
  #desk: PersonsDesk | null = null;
  #way = '';
  #listed = '';
  #points: Record<string, number> = {};
  /** Milliseconds that the next servers live, unless they meet a point before. */
  #spans: number[] = [];
  /** From when its beginning is known: what is lost before that, nobody would give back. */
  #rotating = false;
  #killedAt = 0;

  private constructor(scene: Scene, options: CampaignOptions) {
    this.scene = scene;
    this.#options = options;
    const { partner, signers } = scene;
    this.#person = new Person({ partner, signers, onlyNewest: options.live === 1 });
    this.#spare = this.#newVictim();
  }

  static async start(options: CampaignOptions): Promise<RotationCampaign> {
    const campaign = new RotationCampaign(await setScene(options), options);
    try {
      await campaign.#firstVersion();
      return campaign;
    } catch (error) {
      await campaign[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * One rotation, whose servers die at these points in whatever order they come to them; then everything is looked at.
   * @param limitMs longest that it may take.
   * @returns faults, a sentence each.
   */
  async rotate(way: Way, points: Readonly<Record<string, number>>, limitMs = limitOf(points)): Promise<string[]> {
    const { maker, live } = this.#options;
    if (way.maker !== maker || way.live !== live) throw new Error(`${way.name} is not a way of this partner.`);
    this.#way = way.name;
    this.#points = { ...points };
    this.#server?.dieAt(points);
    const { partner } = this.scene;
    if (way.turn?.verb === 'abort' && way.turn.at === 'canary') await partner.set({ failWith: { status: 503 } });
    const faults = await this.#drive(way, limitMs);
    await partner.set({ failWith: null });
    this.figures.rotations += 1;
    return faults.length > 0 ? faults : this.examine(false);
  }

  /** The next so many servers are killed from outside when they have worked for so many milliseconds. */
  endAfter(spans: readonly number[]): void {
    this.#spans = [...spans];
  }

  /** Stops the server, opens the instance as a restart does, and looks at everything. */
  async examine(whole: boolean): Promise<string[]> {
    await this.#rest();
    return [...this.#person.faults, ...(await examineRotations(this.scene.home, await this.#outside(whole)))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest();
    await this.#spare.kill();
    await this.scene[Symbol.asyncDispose]();
  }

  async #outside(whole: boolean): Promise<Outside> {
    const { handedOut } = this.#person;
    return { handedOut, issuedElsewhere: (await this.scene.engine?.issued()) ?? [], whole };
  }

  async #firstVersion(): Promise<void> {
    if (this.#options.maker === 'portal') {
      await this.#person.bring(await this.#atDesk());
      return;
    }
    const { maker, live } = this.#options;
    const faults = await this.#drive({ name: 'first', maker, live, turn: null, points: [] }, limitOf({}));
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  /** Asks, looks, and does what tasks say, until the rotation has ended and nothing is left to do. */
  async #drive(way: Way, limitMs: number): Promise<string[]> {
    const end = performance.now() + limitMs;
    const newest = await this.#show();
    const before = newest === 'none' ? null : newest.id;
    let lease = way.turn?.verb === 'roll-back' ? await this.#lease() : null;
    this.#endInTime();
    let turned = false;
    for (;;) {
      if (performance.now() > end) return [`it never converged: ${JSON.stringify(await this.#show(), null, 1)}`];
      const desk = await this.#atDesk();
      const shown = await desk.show();
      if (shown === null) continue;
      if (shown === 'none' || shown.id === before) {
        await desk.start();
        continue;
      }
      if (shown.state === 'halted') return [`it halted: ${JSON.stringify(shown, null, 1)}`];
      turned ||= ['undoing', 'aborted', 'rolled-back'].includes(shown.state);
      const due = !turned && isDue(way, shown);
      if (due && way.turn !== null) await desk.order(way.turn.verb);
      else if (!(way.turn?.verb === 'abort' && way.turn.at === 'await' && !turned)) await this.#person.act(desk, shown);
      if (turned && lease !== null && (await desk.giveBack(lease))?.ok === true) lease = null;
      await this.#learn();
      if (isOver(shown) && (lease === null || !turned)) return endFaults(way, shown);
      await sleep(LOOK_MS);
    }
  }

  /** As soon as it is known. */
  async #show(): Promise<Shown | 'none'> {
    for (;;) {
      const shown = await (await this.#atDesk()).show();
      if (shown !== null) return shown;
    }
  }

  async #lease(): Promise<string> {
    for (;;) {
      const answer = await (await this.#atDesk()).lease();
      if (answer?.ok === true) return String(answer.body['lease']);
    }
  }

  /** What the authority has issued and revoked becomes known to the partner. */
  async #learn(): Promise<void> {
    const { engine, signers, partner } = this.scene;
    if (signers !== null || this.#options.maker === 'portal') return;
    const list = engine === null ? await this.#server?.list(ISSUER) : await engine.list();
    if (list === undefined || list === null || list.crl === this.#listed) return;
    this.#listed = list.crl;
    await partner.trust({ ca: list.ca, crls: [list.crl] });
  }

  /** Of a server that is there: a new one when the last one died. */
  async #atDesk(): Promise<PersonsDesk> {
    for (;;) {
      if (this.#server !== null && !this.#server.gone && this.#desk !== null) return this.#desk;
      await this.#count();
      this.#desk?.close();
      this.#desk = null;
      const server = this.#spare;
      this.#server = server;
      // While one works the next one loads its code.
      this.#spare = this.#newVictim();
      const { home, access } = this.scene;
      const doom = { points: this.#points, file: join(home, 'killed') };
      const url = await server.open(home, this.#options.listening, doom);
      if (url === false) continue;
      this.#desk = url === null ? new InnerDesk((wish) => server.wish(wish)) : new HttpsDesk(url, access);
      if (this.#rotating) this.#endInTime();
    }
  }

  #endInTime(): void {
    this.#rotating = true;
    const server = this.#server;
    const span = this.#spans.shift();
    if (span === undefined || server === null) return;
    setTimeout(() => {
      if (server.gone || server !== this.#server) return;
      void server.kill();
      this.#addKill('by chance');
    }, span);
  }

  #newVictim(): VictimProcess {
    return new VictimProcess([...modulesFor(this.#options), ...(this.#options.modules ?? [])]);
  }

  async #rest(): Promise<void> {
    this.#rotating = false;
    await this.#server?.kill();
    await this.#count();
    this.#desk?.close();
    this.#server = null;
    this.#desk = null;
  }

  /** A point that was somebody's end is nobody's after that. */
  async #count(): Promise<void> {
    const text = await readFile(join(this.scene.home, 'killed'), 'utf8').catch(() => '');
    const killed = text.split('\n').filter((line) => line !== '');
    for (const point of killed.slice(this.#killedAt)) {
      delete this.#points[point];
      this.#addKill(point);
    }
    this.#killedAt = killed.length;
  }

  #addKill(where: string): void {
    const name = `${this.#way} ${where}`;
    this.figures.kills += 1;
    this.figures.at[name] = (this.figures.at[name] ?? 0) + 1;
  }
}

/** What is loaded when it is used, but would be by every server here. */
function modulesFor({ maker, store, ledger, listening }: CampaignOptions): string[] {
  const modules = [
    ...(maker === 'local' ? ['issuer/local/local-issuer.ts'] : []),
    ...(maker === 'pki' ? ['issuer/vault-pki/vault-pki-issuer.ts'] : []),
    ...(store === 'vault' ? ['keystore/vault/vault-store.ts'] : []),
    ...(store === 'aws' ? ['keystore/aws/aws-store.ts'] : []),
    ...(ledger === 'postgres' ? ['ledger/postgres/open.ts'] : []),
    ...(listening ? ['compose/serve.ts', 'server/log/server-log.ts'] : []),
  ];
  return modules.map((module) => new URL(`../../../src/${module}`, import.meta.url).href);
}

function limitOf(points: Readonly<Record<string, number>>): number {
  return LIMIT_MS + Object.keys(points).length * LIMIT_AN_END_MS;
}

function isDue({ turn }: Way, { step }: Shown): boolean {
  if (turn === null) return false;
  return turn.verb === 'abort' ? step === turn.at : step === 'drain';
}

function isOver({ state, tasks }: Shown): boolean {
  const ended = ['completed', 'aborted', 'rolled-back'].includes(state);
  return ended && tasks.every((task) => task.state !== 'open');
}

/** Exported for a test. */
export function endFaults({ turn }: Way, { state }: Shown): string[] {
  const wanted = turn === null ? 'completed' : turn.verb === 'abort' ? 'aborted' : 'rolled-back';
  return state === wanted ? [] : [`it ended ${state}, not ${wanted}`];
}
