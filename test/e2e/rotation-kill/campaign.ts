import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { initInstance } from '../../../src/compose/init.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type Partner, startPartner } from '../../fakes/partner/partner.ts';
import { edit } from '../instance.ts';
import { startRemoteAws } from '../stores/remote-aws.ts';
import type { RemoteStore } from '../stores/remote-store.ts';
import { startRemoteVault } from '../stores/remote-vault.ts';
import { type Answer, PersonsDesk, type Shown } from './desk.ts';
import { examineRotations, type Outside } from './examine.ts';
import { Person } from './person.ts';
import { PkiEngine } from './pki-engine.ts';
import { VictimProcess } from './victim-process.ts';
import type { Maker, Way } from './ways.ts';

export type StoreKind = 'file' | 'vault' | 'aws';

const LOOK_MS = 15;
/** Longest that one rotation may take on a machine that is busy, and what each of its ends may add. */
const LIMIT_MS = 120_000;
const LIMIT_AN_END_MS = 15_000;
const ISSUER = 'internal';

interface Access {
  readonly ca: string;
  readonly token: string;
}

export interface KillFigures {
  rotations: number;
  kills: number;
  /** Points → kills there. */
  readonly at: Record<string, number>;
}

/** One instance whose server is killed in the midst of its rotations, and the partner and the person around it. */
export class RotationCampaign implements AsyncDisposable {
  readonly home: string;
  readonly figures: KillFigures = { rotations: 0, kills: 0, at: {} };
  readonly #access: Access;
  readonly #partner: Partner;
  readonly #person: Person;
  readonly #maker: Maker;
  readonly #engine: PkiEngine | null;
  readonly #undo: AsyncDisposableStack;
  #spare = new VictimProcess();
  #server: VictimProcess | null = null;
  #desk: PersonsDesk | null = null;
  #listed = '';
  #points: Record<string, number> = {};
  #killedAt = 0;

  private constructor(
    home: string,
    access: Access,
    { partner, maker, engine }: Omit<Surroundings, 'remote'>,
    undo: AsyncDisposableStack,
  ) {
    this.home = home;
    this.#access = access;
    this.#partner = partner;
    this.#person = new Person(partner);
    this.#maker = maker;
    this.#engine = engine;
    this.#undo = undo;
  }

  static async start(maker: Maker, store: StoreKind = 'file'): Promise<RotationCampaign> {
    await using undo = new AsyncDisposableStack();
    const home = await mkdtemp(join(tmpdir(), 'keyturn-rotation-kill-'));
    undo.defer(() => rm(home, { recursive: true, force: true }));
    await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
    const partner = undo.use(await startPartner({ switches: { refuseBy: 'status' } }));
    const remote = await remoteStore(store);
    if (remote !== null) undo.use(remote);
    const engine = maker === 'pki' ? undo.use(await PkiEngine.start()) : null;
    await configure(home, { maker, partner, remote, engine });
    const access = {
      ca: await readFile(join(home, 'listener', 'ca.crt'), 'utf8'),
      token: await readFile(join(home, 'admin', 'token'), 'utf8'),
    };
    const campaign = new RotationCampaign(home, access, { partner, maker, engine }, undo.move());
    await campaign.#firstVersion();
    return campaign;
  }

  /**
   * One rotation, whose servers die at these points in whatever order they come to them; then everything is looked at.
   * @returns faults, a sentence each.
   */
  async rotate(way: Way, points: Readonly<Record<string, number>>): Promise<string[]> {
    if (way.maker !== this.#maker) throw new Error(`This partner is no ${way.maker}.`);
    this.#points = { ...points };
    this.#server?.dieAt(points);
    if (way.turn?.verb === 'abort' && way.turn.at === 'canary') await this.#partner.set({ failWith: { status: 503 } });
    const faults = await this.#drive(way);
    await this.#partner.set({ failWith: null });
    this.figures.rotations += 1;
    return faults.length > 0 ? faults : this.examine(false);
  }

  /** Stops the server, opens the instance as a restart does, and looks at everything. */
  async examine(whole: boolean): Promise<string[]> {
    await this.#rest();
    const outside: Outside = {
      handedOut: this.#person.handedOut,
      issuedElsewhere: (await this.#engine?.issued()) ?? [],
      whole,
    };
    return [...this.#person.faults, ...(await examineRotations(this.home, outside))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest();
    await this.#spare.kill();
    await this.#undo.disposeAsync();
  }

  async #firstVersion(): Promise<void> {
    if (this.#maker === 'portal' || this.#maker === 'csr') {
      await this.#person.bring(await this.#atDesk());
      return;
    }
    await this.#atDesk();
    await this.#learn();
    await this.#drive({ name: 'first', maker: this.#maker, turn: null, points: [] });
  }

  /** Asks, looks, and does what tasks say, until the rotation has ended and nothing is left to do. */
  async #drive(way: Way): Promise<string[]> {
    const end = performance.now() + LIMIT_MS + Object.keys(this.#points).length * LIMIT_AN_END_MS;
    const before = (await this.#show())?.id;
    const lease = way.turn?.verb === 'roll-back' ? await this.#lease() : null;
    let turned = false;
    for (;;) {
      if (performance.now() > end) return [`it never converged: ${JSON.stringify(await this.#show(), null, 1)}`];
      const desk = await this.#atDesk();
      const shown = await desk.show();
      if (this.#server?.gone === true) continue;
      if (shown === null || shown.id === before) {
        await desk.start();
        continue;
      }
      if (shown.state === 'halted') return [`it halted: ${JSON.stringify(shown, null, 1)}`];
      turned ||= shown.state === 'undoing';
      const due = !turned && isDue(way, shown);
      if (due) await this.#turn(desk, way);
      else if (!(way.turn?.verb === 'abort' && way.turn.at === 'await' && !turned)) await this.#person.act(desk, shown);
      if (turned && lease !== null) await desk.giveBack(lease);
      await this.#learn();
      if (isOver(shown)) return endFaults(way, shown);
      await sleep(LOOK_MS);
    }
  }

  async #turn(desk: PersonsDesk, { turn }: Way): Promise<Answer | null> {
    return turn === null ? null : desk.order(turn.verb);
  }

  async #show(): Promise<Shown | null> {
    return (await this.#atDesk()).show();
  }

  async #lease(): Promise<string> {
    for (;;) {
      const answer = await (await this.#atDesk()).lease();
      if (answer?.status === 201) return String(answer.body['lease']);
    }
  }

  /** What the authority has issued and revoked becomes known to the partner. */
  async #learn(): Promise<void> {
    if (this.#maker === 'portal' || this.#maker === 'csr') return;
    const list = this.#engine === null ? await this.#server?.list(ISSUER) : await this.#engine.list();
    if (list === undefined || list === null || list.crl === this.#listed) return;
    this.#listed = list.crl;
    await this.#partner.trust({ ca: list.ca, crls: [list.crl] });
  }

  /** Of a server that is there: a new one when the last one died. */
  async #atDesk(): Promise<PersonsDesk> {
    for (;;) {
      if (this.#server !== null && !this.#server.gone && this.#desk !== null) return this.#desk;
      await this.#count();
      this.#desk?.close();
      this.#server = this.#spare;
      // While one works the next one loads its code.
      this.#spare = new VictimProcess();
      const url = await this.#server.serve(this.home, { points: this.#points, file: join(this.home, 'killed') });
      this.#desk = url === null ? null : new PersonsDesk(url, this.#access);
    }
  }

  async #rest(): Promise<void> {
    await this.#server?.kill();
    await this.#count();
    this.#desk?.close();
    this.#server = null;
    this.#desk = null;
  }

  /** A point that was somebody's end is nobody's after that. */
  async #count(): Promise<void> {
    const text = await readFile(join(this.home, 'killed'), 'utf8').catch(() => '');
    const killed = text.split('\n').filter((line) => line !== '');
    for (const point of killed.slice(this.#killedAt)) {
      delete this.#points[point];
      this.figures.kills += 1;
      this.figures.at[point] = (this.figures.at[point] ?? 0) + 1;
    }
    this.#killedAt = killed.length;
  }
}

function isDue({ turn }: Way, { step }: Shown): boolean {
  if (turn === null) return false;
  return turn.verb === 'abort' ? step === turn.at : step === 'drain';
}

function isOver({ state, tasks }: Shown): boolean {
  const ended = ['completed', 'aborted', 'rolled-back'].includes(state);
  return ended && tasks.every((task) => task.state !== 'open');
}

function endFaults({ turn }: Way, { state }: Shown): string[] {
  const wanted = turn === null ? 'completed' : turn.verb === 'abort' ? 'aborted' : 'rolled-back';
  return state === wanted ? [] : [`it ended ${state}, not ${wanted}`];
}

function remoteStore(kind: StoreKind): Promise<RemoteStore | null> {
  if (kind === 'vault') return startRemoteVault();
  return kind === 'aws' ? startRemoteAws() : Promise.resolve(null);
}

interface Surroundings {
  readonly maker: Maker;
  readonly partner: Partner;
  readonly remote: RemoteStore | null;
  /** Where certificates come from, if not from people or our own authority. */
  readonly engine: PkiEngine | null;
}

async function configure(home: string, { maker, partner, remote, engine }: Surroundings): Promise<void> {
  const issuer = engine === null ? { kind: 'local', store: 'file' } : await engine.configure(home);
  const setting = remote === null ? null : { [remote.kind]: await remote.configure(home) };
  await edit(join(home, 'keyturn.yaml'), (config) => ({
    ...config,
    issuers: { [ISSUER]: issuer },
    ...(setting === null ? {} : { stores: setting, 'default-store': remote?.kind }),
  }));
  await edit(join(home, 'policies', 'access', 'bindings.yaml'), ({ bindings }) => ({
    bindings: [
      ...(bindings as object[]),
      { id: 'alice-service', role: 'service', principals: ['person:alice'], credentials: ['lean/*'], comment: 'test' },
    ],
  }));
  await writeFile(join(home, 'policies', 'partners', 'server.pem'), partner.chainPem);
  await edit(join(home, 'policies', 'partners', 'lean.yaml'), (profile) => profileOf(profile, maker, partner));
}

function profileOf(profile: Record<string, unknown>, maker: Maker, { mtlsUrl }: Partner): object {
  const { sandbox = {} } = profile['environments'] as Record<string, Record<string, unknown>>;
  const { companions: _companions, ...rest } = sandbox;
  const request = { subject: [{ type: 'CN', value: 'payments.acme.example' }] };
  const own = maker === 'portal' ? {} : { key: 'keyturn', issuer: maker === 'csr' ? 'manual' : ISSUER, request };
  return {
    ...profile,
    environments: {
      sandbox: {
        ...rest,
        endpoints: [{ url: mtlsUrl, mtls: true }],
        serverTrust: { mode: 'pinned', file: 'server.pem' },
        issuance: { ...(sandbox['issuance'] as object), live: 2, ...own },
        revocation: {
          by: maker === 'local' || maker === 'pki' ? 'issuer' : 'asking',
          contact: 'support',
          propagation: '1s',
        },
        test: { endpoint: mtlsUrl, path: '/whoami' },
      },
    },
  };
}
