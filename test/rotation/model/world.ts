import { randomBytes } from 'node:crypto';
import type { EntryDraft } from '../../../src/audit/entry.ts';
import type { JsonObject } from '../../../src/core/canonical-json.ts';
import { timestamp } from '../../../src/core/clock.ts';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { newId } from '../../../src/core/ids.ts';
import { authorise } from '../../../src/credential/authorise.ts';
import type { Desk } from '../../../src/credential/desk.ts';
import { versionSubject } from '../../../src/credential/hold/hold-switch.ts';
import { type Chosen, chooseVersion, lentChecks } from '../../../src/credential/lease/share.ts';
import { mandateOf } from '../../../src/credential/mandate.ts';
import { importVersion } from '../../../src/credential/version/import.ts';
import { promote } from '../../../src/credential/version/promote.ts';
import { LEGAL_MOVES, moveVersion } from '../../../src/credential/version/states.ts';
import { certificatesIn } from '../../../src/issuer/certificates.ts';
import type { IssuerDriver } from '../../../src/issuer/driver.ts';
import { issuerRefused, issuerUnavailable } from '../../../src/issuer/failure.ts';
import { Issuer } from '../../../src/issuer/issuer.ts';
import type { Change } from '../../../src/ledger/change.ts';
import type { LeaseRow, RotationRow, TaskRow } from '../../../src/ledger/tables.ts';
import type { Environment, Profile } from '../../../src/partner/profile.ts';
import { attachCertificate } from '../../../src/rotation/orders/attach.ts';
import { groundOf } from '../../../src/rotation/orders/plan.ts';
import { startRotation } from '../../../src/rotation/orders/start.ts';
import {
  abortRotation,
  completeTask,
  resumeRotation,
  retryRotation,
  rollBackRotation,
  waive,
} from '../../../src/rotation/orders/steer.ts';
import type { Way } from '../../../src/rotation/workflow/path.ts';
import { Rotator } from '../../../src/rotation/workflow/rotator.ts';
import type { Pace } from '../../../src/rotation/workflow/step.ts';
import { TestCa } from '../../fakes/ca.ts';
import type { House } from './house.ts';
import { ModelPartner } from './partner.ts';
import { Watch } from './watch.ts';

export const PACE = {
  longestRequestMs: 30_000,
  lookMs: 1_000,
  retryMs: 1_000,
  retryMostMs: 60_000,
  canaryTries: 3,
  controlMs: 600_000,
  proofMostMs: 60_000,
  lateAnswerMs: 120_000,
  lostIssuerMs: 300_000,
};

export interface Setting {
  readonly keyBy: Way['keyBy'];
  readonly live: 1 | 2;
  /** Who signs requests for our keys: our own authority at once, or a person. */
  readonly signer: 'internal' | 'manual';
  readonly revokes: 'issuer' | 'asking';
  readonly tested: boolean;
  /** Whether a share of the clients is to be first, where that is possible. */
  readonly shared?: boolean;
}

/** What the issuer's interface does to the next calls. `keeps`: revokes nothing. `gone`: no server has it configured. */
export type Trouble = 'none' | 'down' | 'answer lost' | 'answer late' | 'refuses' | 'keeps' | 'gone';

let runs = 0;

/** One credential, its partner, issuer and people, and a rotator that may be dropped at any point. */
export class World {
  readonly credential: string;
  readonly environment: string;
  readonly desk: Desk;
  readonly partner: ModelPartner;
  readonly watch: Watch;
  readonly setting: Setting;
  pace: Partial<Pace> = PACE;
  /** Where one certificate may live, a new one kills the others as it is issued. */
  onlyNewest: boolean;
  /** Told of the kind of each entry before it is committed; the commit waits. */
  beforeCommit: (kind: string) => Promise<void> = async () => {};
  readonly #house: House;
  readonly #allIssuers: ReadonlyMap<string, Issuer>;
  /** Those that are configured just now. */
  readonly #issuers: Map<string, Issuer>;
  #trouble: Trouble = 'none';
  #ahead = 0;
  /** What issuers go on with though nobody waits for it. */
  #late: (() => Promise<unknown>)[] = [];
  #retried = '';
  #rotator: Rotator;
  /** Points that are passed before the one that is the last; null: it lives. */
  #fuse: number | null = null;
  /** Point that is the last. */
  #end: string | null = null;
  #dead = false;

  private constructor(house: House, setting: Setting) {
    runs += 1;
    this.environment = `run-${runs}`;
    this.credential = `acme/${this.environment}`;
    this.#house = house;
    this.setting = setting;
    this.onlyNewest = setting.live === 1;
    const { desk } = house.instance;
    const clock = { now: () => Date.now() + this.#ahead, monotonic: () => performance.now() + this.#ahead };
    const ledger = this.#ownLedger();
    const profiles = {
      profile: () => profileOf(),
      environment: () => environmentOf(setting, house),
    } as unknown as ReturnType<Desk['profiles']>;
    this.desk = { ...desk, ledger, clock, profiles: () => profiles };
    this.partner = new ModelPartner(this.desk);
    this.watch = new Watch(this.desk, this.credential, {
      longestRequestMs: PACE.longestRequestMs,
      tested: setting.tested,
    });
    this.#allIssuers = new Map([...house.instance.issuers].map(([name, issuer]) => [name, this.#troubled(issuer)]));
    this.#issuers = new Map(this.#allIssuers);
    this.#rotator = this.#newRotator();
  }

  static async begin(house: House, setting: Setting): Promise<World> {
    const world = new World(house, setting);
    if (setting.keyBy === 'partner') await world.import();
    return world;
  }

  get trouble(): Trouble {
    return this.#trouble;
  }

  set trouble(trouble: Trouble) {
    this.#trouble = trouble;
    for (const [name, issuer] of this.#allIssuers) this.#issuers.set(name, issuer);
    if (trouble === 'gone') for (const name of ['internal', 'elsewhere']) this.#issuers.delete(name);
  }

  /** Goes on until everything waits. A rotator that met its end is replaced first. */
  async tick(): Promise<void> {
    if (this.#dead) this.restart();
    await this.#rotator.tick();
  }

  /** The process ends when it has passed so many more points, and another one begins. */
  crashAfter(points: number): void {
    this.#fuse = points;
  }

  /** The process ends at the first passing of this point. */
  crashAt(point: string): void {
    this.#end = point;
  }

  restart(): void {
    this.#fuse = null;
    this.#end = null;
    this.#dead = false;
    this.#rotator = this.#newRotator();
  }

  forward(ms: number): void {
    this.#ahead += ms;
  }

  async start(): Promise<string | null> {
    return this.#order(async () => {
      const authority = await authorise(this.desk, this.#house.alice, 'credential:rotate', this.credential);
      const ground = await groundOf(this.desk, this.#issuers, this.credential);
      const version = ground.current?.version ?? null;
      const mandate = mandateOf(this.#house.alice, authority, 'credential:rotate', this.credential, version);
      await startRotation(this.desk, mandate, ground, { reason: 'test' });
    });
  }

  abort = () => this.#order(() => abortRotation(this.desk, this.#house.alice, this.credential, 'test'));
  rollBack = () => this.#order(() => rollBackRotation(this.desk, this.#house.alice, this.credential, 'test'));
  resume = () => this.#order(() => resumeRotation(this.desk, this.#house.alice, this.credential, 'test'));
  retry = () => this.#order(() => retryRotation(this.desk, this.#house.alice, this.credential, 'test'));
  waive = (what: 'canary' | 'drain' | 'proof') =>
    this.#order(() => waive(this.desk, this.#house.alice, this.credential, { what, why: 'test' }));

  /** By hand, past the rotation. */
  promote = (version: number) => this.#order(() => promote(this.desk, this.#house.alice, this.credential, version));

  /** Whichever is staged or previous, the newest first. */
  async promoteAny(): Promise<void> {
    const fit = { credential: this.credential, state: { in: ['staged', 'previous'] } } as const;
    const [row] = await this.desk.ledger.find('versions', fit, { orderBy: 'version', descending: true, limit: 1 });
    if (row !== undefined) await this.promote(row.version);
  }

  /** An incident is confirmed on what is replaced, or on what replaces it. */
  async compromise(which: 'old' | 'new'): Promise<void> {
    const row = await this.open();
    const version = which === 'old' ? row?.replaces : row?.version;
    const [found] =
      version == null ? [] : await this.desk.ledger.find('versions', { credential: this.credential, version });
    if (found === undefined || !LEGAL_MOVES[found.state].includes('compromised')) return;
    await this.desk.ledger.commit({
      writes: [moveVersion(found, 'compromised', this.desk.clock.now())],
      entry: {
        kind: 'version.compromised',
        actor: 'person:alice',
        credential: this.credential,
        version: found.version,
        data: {},
      },
    });
  }

  freezeOld = () => this.freeze('old');

  /** What is replaced, or what replaces it, as one person does it. */
  async freeze(which: 'old' | 'new'): Promise<void> {
    const row = await this.open();
    const version = which === 'old' ? row?.replaces : row?.version;
    if (version == null) return;
    const now = this.desk.clock.now();
    const hold = {
      id: newId('hold', Date.now()),
      target: 'version',
      subject: versionSubject(this.credential, version),
      reason: 'test',
      placed_by: 'person:alice',
      placed_at: now,
      thaw_asked_by: null,
      thaw_asked_at: null,
      lifted_by: null,
      lifted_at: null,
    } as const;
    const data = { hold: hold.id, target: hold.target, subject: hold.subject };
    const entry = { kind: 'hold.placed', actor: 'person:alice', credential: this.credential, version, data };
    await this.desk.ledger.commit({ writes: [{ insert: 'holds', row: hold }], entry });
  }

  async thaw(): Promise<void> {
    const all = await this.desk.ledger.find('holds', { target: 'version', lifted_at: null }, { limit: 1_000 });
    for (const { id, subject } of all) {
      if (!subject.startsWith(`${this.credential}@`)) continue;
      const set = { lifted_by: 'person:carol', lifted_at: this.desk.clock.now() };
      const entry = { kind: 'hold.lifted', actor: 'person:carol', data: { hold: id } };
      await this.desk.ledger.commit({ writes: [{ update: 'holds', where: { id }, set, rows: 1 }], entry });
    }
  }

  /** A key and a certificate that the partner made. */
  async import(): Promise<string | null> {
    const { keyPem, certificatePem } = await this.#house.ca.client();
    const bytes = Buffer.from(keyPem + certificatePem + this.#house.ca.certificatePem);
    await this.#killOthers();
    return this.#order(() =>
      importVersion(this.desk, this.#house.alice, {
        credential: this.credential,
        files: [{ name: 'all.pem', bytes }],
        environmentConfirmed: this.environment,
      }),
    );
  }

  /** A certificate for the request that waits, or one of another key. */
  async attach(good: boolean): Promise<string | null> {
    const rotation = await this.open();
    const pem = good && rotation !== null ? await this.#signed(rotation) : (await this.#stranger()).certificatePem;
    if (pem === null) return 'nothing to sign';
    return this.#order(() =>
      attachCertificate(this.desk, this.#house.alice, {
        credential: this.credential,
        files: [{ name: 'certificate.pem', bytes: Buffer.from(pem) }],
        environmentConfirmed: this.environment,
      }),
    );
  }

  /** Does what open tasks ask. */
  async work(kinds: readonly TaskRow['kind'][] = ['import', 'certificate', 'revoke', 'look']): Promise<void> {
    for (const task of await this.desk.ledger.find('tasks', { credential: this.credential, state: 'open' })) {
      if (!kinds.includes(task.kind)) continue;
      if (task.kind === 'import') await this.import();
      else if (task.kind === 'certificate') await this.attach(true);
      else await this.#finish(task);
    }
  }

  /** A client process borrows what it is lent. */
  async lease(seconds: number): Promise<void> {
    const refused = await this.#order(async () => {
      const lent = await this.#lent(seconds > 1);
      const now = this.desk.clock.now();
      const row = {
        id: newId('lease', Date.now()),
        credential: this.credential,
        version: lent.version.version,
        principal: 'service:payments',
        token: this.#house.alice.token.id,
        state: 'live',
        granted_at: now,
        renewed_at: null,
        expires_at: now + seconds * 1000,
        uses: null,
        replaced_by: null,
        in_use: null,
      } as const;
      await this.desk.ledger.commit({
        checks: lentChecks(lent),
        writes: [{ insert: 'leases', row }],
        entry: this.#leaseEntry('lease.granted', row, {}),
      });
    });
    if (refused !== null && refused !== 'no_current_version') throw new Error(`Nothing was lent: ${refused}`);
  }

  /** To a process of that side of a share, where there is one: chance must not decide what a seed leads to. */
  async #lent(first: boolean): Promise<Chosen> {
    for (let tries = 1; ; tries += 1) {
      const process = { hpkePublicKey: randomBytes(32) };
      const lent = await chooseVersion(this.desk, this.#house.alice, this.credential, process);
      if (lent.share === null || (lent.version.state === 'staged') === first || tries === 64) return lent;
    }
  }

  /** Whoever has a version renews, and says how it fared with it. */
  async report(failures: number): Promise<void> {
    const where = { credential: this.credential, state: 'live', expires_at: { gt: this.desk.clock.now() } } as const;
    for (const lease of await this.desk.ledger.find('leases', where, { limit: 4 })) {
      const uses = [{ version: lease.version, host: 'partner:443', requests: 10, failures, failedAgo: 0 }];
      await this.desk.ledger.commit({ entry: this.#leaseEntry('lease.renewed', lease, { uses }) });
    }
  }

  #leaseEntry(kind: string, { id, principal, version, expires_at }: LeaseRow, more: JsonObject): EntryDraft {
    const data = { lease: id, client: id, expiresAt: timestamp(expires_at), ...more };
    return { kind, actor: principal, credential: this.credential, version, data };
  }

  async open(): Promise<RotationRow | null> {
    const [row] = await this.desk.ledger.find('rotations', { credential: this.credential, ended_at: null });
    return row ?? null;
  }

  async states(): Promise<Record<number, string>> {
    const rows = await this.desk.ledger.find('versions', { credential: this.credential }, { orderBy: 'version' });
    return Object.fromEntries(rows.map(({ version, state }) => [version, state]));
  }

  /** Kinds of the tasks that are open. */
  async tasks(): Promise<string[]> {
    const rows = await this.desk.ledger.find('tasks', { credential: this.credential, state: 'open' });
    return rows.map(({ kind }) => kind);
  }

  /** Issuers come to their ends. */
  async lateAnswers(): Promise<void> {
    for (const answer of this.#late.splice(0)) await answer();
  }

  /** Data of the entries of a kind. */
  async entries(kind: string): Promise<Record<string, unknown>[]> {
    const entries = await this.desk.ledger.entries({ credential: this.credential, kind, limit: 1_000 });
    return entries.map(({ json }) => (JSON.parse(json) as { data: Record<string, unknown> }).data);
  }

  /** Ticks, a second apart, until the open rotation is at that step. */
  async until(step: string): Promise<void> {
    for (let tick = 0; tick < 100; tick += 1) {
      if ((await this.open())?.step === step) return;
      this.forward(1_100);
      await this.tick();
    }
    throw new Error(`It never came to ${step}: ${JSON.stringify(await this.open())}`);
  }

  /** How often a rotation was gone on with after all. */
  async resumed(): Promise<number> {
    const kind = 'rotation.resume-asked';
    return (await this.desk.ledger.entries({ credential: this.credential, kind, limit: 1_000 })).length;
  }

  /** How its rotations ended. */
  async ends(): Promise<string[]> {
    return (await this.desk.ledger.find('rotations', { credential: this.credential })).map(({ state }) => state);
  }

  /** Everybody does their best until nothing is open. @returns where it stands when it does not end. */
  async converge(): Promise<RotationRow | null> {
    await this.lateAnswers();
    // What has nothing to ask of it but a revocation has to end without it.
    const forGood = ['refuses', 'keeps', 'gone'].includes(this.trouble);
    if (!forGood || !LAST_STEPS.has((await this.open())?.step ?? '')) this.trouble = 'none';
    this.partner.mood = 'accepts';
    this.partner.deaf = false;
    this.restart();
    for (let round = 0; round < 60; round += 1) {
      const row = await this.open();
      if (row === null) return null;
      if (row.state === 'halted' && !(await this.#mend(row))) return row;
      if (row.step === 'prove' && !this.setting.tested) await this.waive('proof');
      // What can't be had while something is frozen has another way out; but nothing frozen is destroyed.
      if (round > 30) await this.thaw();
      await this.#waiveDead(row);
      await this.work();
      this.forward(61_000);
      await this.tick();
    }
    return this.open();
  }

  /** Once more; what halts at the same place again is given up. @returns whether anything is left to do. */
  async #mend({ id, step }: RotationRow): Promise<boolean> {
    const before = this.#retried;
    this.#retried = `${id} ${step}`;
    if (before !== this.#retried) return (await this.retry()) === null;
    return (await this.resume()) === null || (await this.abort()) === null || (await this.rollBack()) === null;
  }

  /** Where a second certificate was issued for one rotation, the first is dead: a person says that nothing can be had of it. */
  async #waiveDead({ credential, version, step, waits_for }: RotationRow): Promise<void> {
    if (this.setting.live !== 1 || waits_for === '' || (step !== 'canary' && step !== 'prove')) return;
    const [row] = await this.desk.ledger.find('versions', { credential, version });
    if (row === undefined || !this.partner.revoked.has(row.serial)) return;
    await this.waive(step === 'canary' ? 'canary' : 'proof');
  }

  #newRotator(): Rotator {
    return new Rotator({
      desk: this.desk,
      issuers: this.#issuers,
      prober: this.partner,
      pace: this.pace,
      onPoint: (name) => this.#pass(name),
      onError: (row, error) => {
        const known = this.trouble === 'gone' && isKeyturnError(error, 'config_invalid');
        if (error !== CRASH && !known) this.watch.errors.push(`${row.step}: ${String(error)}`);
      },
    });
  }

  #pass(name: string): void {
    if (this.#dead) throw CRASH;
    if (this.#fuse !== null) this.#fuse -= 1;
    if (name !== this.#end && (this.#fuse ?? 0) >= 0) return;
    this.#dead = true;
    throw CRASH;
  }

  /** The house's, of whose rotations only those of this credential are seen, and whose commits are watched. */
  #ownLedger(): Desk['ledger'] {
    const { ledger } = this.#house.instance.desk;
    const find: Desk['ledger']['find'] = (table, where, options) =>
      ledger.find(table, table === 'rotations' ? { credential: this.credential, ...where } : where, options);
    return {
      find,
      commit: (change) => this.#commit(change),
      count: (table, where) => ledger.count(table, where),
      head: () => ledger.head(),
      entries: (query) => ledger.entries(query),
      checkpoints: (after, limit) => ledger.checkpoints(after, limit),
      receipt: (index, seen) => ledger.receipt(index, seen),
      follow: (from, listener) => ledger.follow(from, listener),
      withFence: (names, mode, work) => ledger.withFence(names, mode, work),
      status: () => ledger.status(),
      close: () => ledger.close(),
    };
  }

  async #commit(change: Change) {
    const { ledger } = this.#house.instance.desk;
    await this.beforeCommit(change.entry.kind);
    const outcome = await ledger.commit(change);
    if (outcome.committed) await this.watch.look(change);
    return outcome;
  }

  /** The code of a refusal; null when it was done. */
  async #order(order: () => Promise<unknown>): Promise<string | null> {
    try {
      await order();
      return null;
    } catch (error) {
      if (isKeyturnError(error) && error.code !== 'internal') return error.code;
      throw error;
    }
  }

  async #finish({ id, body, kind }: TaskRow): Promise<void> {
    const { serial } = JSON.parse(body) as { serial?: string };
    if (kind === 'revoke' && serial !== undefined) {
      await this.watch.revoking(serial);
      this.partner.revoked.add(serial);
    }
    await this.#order(() => completeTask(this.desk, this.#house.alice, id, 'test'));
  }

  async #signed({ id, facts }: RotationRow): Promise<string | null> {
    const { csr } = JSON.parse(facts) as { csr?: string };
    if (csr === undefined) return null;
    await this.#killOthers();
    return this.#house.sign(id, csr);
  }

  async #killOthers(): Promise<void> {
    // What nobody waits for is issued beside them: else nothing could be proven of what is current.
    const step = (await this.open())?.step;
    if (!this.onlyNewest || (step !== 'await' && step !== 'request')) return;
    const versions = await this.desk.ledger.find('versions', { credential: this.credential });
    for (const { serial } of versions) this.partner.revoked.add(serial);
  }

  async #stranger() {
    return (await TestCa.create()).client();
  }

  /** The real thing, whose interface may be down, or lose its answers. */
  #troubled({ name, kind, driver }: Issuer): Issuer {
    const troubled = async <T>(act: () => Promise<T>): Promise<T> => {
      if (this.trouble === 'down') throw issuerUnavailable('It is down.', { certain: true });
      if (this.trouble === 'refuses') throw issuerRefused('It says no.', 'Ask whoever runs it.');
      const answer = await act();
      if (this.trouble === 'answer lost') throw issuerUnavailable('The answer is lost.', { certain: false });
      return answer;
    };
    const wrapped: IssuerDriver = {
      description: driver.description,
      can: driver.can,
      issue: (request, signal) => {
        if (this.trouble === 'answer late') {
          this.#late.push(() => driver.issue(request, AbortSignal.timeout(10_000)));
          throw issuerUnavailable('It did not answer in time.', { certain: false });
        }
        return troubled(async () => {
          const answer = await driver.issue(request, signal);
          if (answer.kind === 'issued') await this.#killOthers();
          return answer;
        });
      },
      find: (spki, signal) => troubled(() => driver.find(spki, signal)),
      revoke: (request, signal) =>
        troubled(async () => {
          if (this.trouble === 'keeps') throw issuerRefused('It revokes nothing.', 'Ask whoever runs it.');
          const [certificate] = certificatesIn(request.certificate);
          const answer = await driver.revoke(request, signal);
          if (answer.kind !== 'revoked' || certificate === undefined) return answer;
          await this.watch.revoking(certificate.serial);
          this.partner.revoked.add(certificate.serial);
          return answer;
        }),
      health: (signal) => driver.health(signal),
      close: () => driver.close(),
    };
    return new Issuer(name, kind, wrapped, { clock: this.desk.clock });
  }
}

/** From them on nobody asks for a certificate. */
const LAST_STEPS = new Set(['drain', 'revoke', 'prove', 'destroy', 'restore', 'discard']);

const CRASH = new Error('The process ended here.');

function profileOf(): Profile {
  return { partner: 'acme', title: 'Acme', contacts: [], environments: new Map() };
}

function environmentOf(
  { keyBy, live, signer, revokes, tested, shared = false }: Setting,
  { authorities }: House,
): Environment {
  const request = { algorithm: 'EC P-256' as const, subject: [], dns: [], uris: [] };
  const issuer = keyBy === 'partner' ? 'manual' : signer;
  const test = {
    host: 'localhost:1',
    method: 'GET',
    path: '/',
    headers: {},
    companions: {},
    body: null,
    expect: [200],
    unregistered: [],
    timeoutSeconds: 1,
  };
  return {
    partner: 'acme',
    name: 'sandbox',
    endpoints: [],
    issuerChain: { source: 'file', file: 'all.pem', certificates: authorities },
    serverTrust: { mode: 'system' },
    refusals: [],
    companions: [],
    lifecycle: {
      issuance: { issuer, key: keyBy, live, portal: [], request },
      revocation: {
        by: issuer === 'manual' ? 'asking' : revokes,
        reasons: false,
        propagation: 300,
        deadline: 86_400,
      },
      hours: null,
      test: tested ? test : null,
      swap: shared && tested && live !== 1 ? { share: 0.5, for: 600, failures: 3, beyond: 0.01 } : null,
    },
  };
}
