import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServeOptions } from '../../src/compose/serve.ts';
import type { Clock } from '../../src/core/clock.ts';
import { freshHome } from '../e2e/home.ts';
import { edit, type Reply, TestInstance } from '../e2e/instance.ts';
import { type Partner, type PartnerOptions, startPartner } from '../fakes/partner/partner.ts';

/** Short enough for a test, long enough to be seen. */
export const QUICK = {
  longestRequestMs: 200,
  lookMs: 50,
  retryMs: 50,
  retryMostMs: 200,
  controlMs: 1_000,
  lateAnswerMs: 200,
} as const;

export interface RotationStageOptions {
  readonly partner?: PartnerOptions;
  /** Over the shipped profile's members of the same names. */
  readonly issuance?: Record<string, unknown>;
  readonly revocation?: Record<string, unknown>;
  /** Which part of the clients is first. */
  readonly swap?: Record<string, unknown>;
  /** Null leaves the test request out. */
  readonly test?: null;
  readonly testTimeout?: string;
  readonly clock?: Clock;
  readonly rotation?: ServeOptions['rotation'];
}

/** A partner, and an instance that knows it as `lean/sandbox` and rotates quickly. */
export class RotationStage {
  readonly keyturn: TestInstance;
  readonly partner: Partner;
  readonly home: string;

  private constructor(keyturn: TestInstance, partner: Partner) {
    this.keyturn = keyturn;
    this.partner = partner;
    this.home = keyturn.home;
  }

  static async set(options: RotationStageOptions = {}): Promise<RotationStage> {
    const home = await freshHome();
    const partner = await startPartner(options.partner);
    const keyturn = await TestInstance.open(home, options.clock, { pace: QUICK, ...options.rotation });
    const stage = new RotationStage(keyturn, partner);
    await keyturn.meet(partner);
    await stage.describe(options);
    await stage.companion();
    return stage;
  }

  get ledger() {
    return this.keyturn.serving.instance.desk.ledger;
  }

  async strike(): Promise<void> {
    await this.keyturn.stop();
    await this.partner.stop();
    await rm(this.home, { recursive: true, force: true });
  }

  /** What the profile says of the life of a certificate. */
  async describe({
    issuance = {},
    revocation = {},
    swap,
    test,
    testTimeout = '5s',
  }: RotationStageOptions): Promise<void> {
    await edit(join(this.home, 'policies', 'partners', 'lean.yaml'), (profile) => {
      const environments = profile['environments'] as Record<string, Record<string, Record<string, unknown>>>;
      const { sandbox = {} } = environments;
      const { test: shipped, ...rest } = sandbox;
      const changed = {
        ...rest,
        issuance: { ...sandbox['issuance'], live: 2, ...issuance },
        revocation: { ...sandbox['revocation'], propagation: '1s', ...revocation },
        ...(swap === undefined ? {} : { swap }),
        ...(test === null ? {} : { test: { ...shipped, timeout: testTimeout } }),
      };
      return { ...profile, environments: { ...environments, sandbox: changed } };
    });
    await this.keyturn.reload();
  }

  async companion(): Promise<void> {
    // Belongs to a credential, which the first import makes.
    await this.import();
    await this.keyturn.call('PUT', '/v1/credentials/lean%2Fsandbox/companions/lean-app-token', {
      raw: Buffer.from(this.partner.appToken),
      headers: { 'content-type': 'application/octet-stream' },
    });
  }

  /** A click in the portal, and the upload of what came. */
  async import(): Promise<{ readonly serial: string; readonly reply: Reply }> {
    const made = await this.partner.portal.generate({ app: 'app', key: 'ec-p256' });
    const chain = await this.partner.portal.chain();
    const reply = await this.keyturn.import('lean/sandbox', { 'key.zip': made.zip, 'chain.zip': chain });
    if (reply.status !== 201) throw new Error(`The import was refused: ${reply.text}`);
    return { serial: made.serial, reply };
  }

  start(reason = 'test', more: { compromised?: boolean; version?: number } = {}): Promise<Reply> {
    return this.#steadily(ROTATION, { reason, ...more });
  }

  order(verb: 'abort' | 'retry' | 'roll-back', reason = 'test'): Promise<Reply> {
    return this.#steadily(`${ROTATION}/${verb}`, { reason });
  }

  /** Once more where the rotation moved on just then, as a person would. */
  async #steadily(path: string, json: object): Promise<Reply> {
    for (;;) {
      const reply = await this.keyturn.call('POST', path, { json });
      if (reply.body['code'] !== 'conflict' || !reply.text.includes('moved on')) return reply;
    }
  }

  waive(what: string, holder?: string): Promise<Reply> {
    const json = { what, reason: 'test', ...(holder === undefined ? {} : { holder }) };
    return this.#steadily(`${ROTATION}/waivers`, json);
  }

  async show(): Promise<Shown> {
    return (await this.keyturn.call('GET', ROTATION)).body as unknown as Shown;
  }

  /** Looks until it is so. @throws Error with where it stood. */
  async until(what: string, isSo: (shown: Shown) => boolean, limitMs = 15_000): Promise<Shown> {
    const end = performance.now() + limitMs;
    for (;;) {
      const shown = await this.show();
      if (isSo(shown)) return shown;
      if (performance.now() > end) throw new Error(`Never ${what}: ${JSON.stringify(shown, null, 1)}`);
      await this.keyturn.serving.instance.rotator.tick();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  untilStep(step: string): Promise<Shown> {
    return this.until(`at ${step}`, (shown) => shown.step === step);
  }

  untilState(state: string): Promise<Shown> {
    return this.until(state, (shown) => shown.state === state);
  }

  /** Says that the open task of this kind is done. */
  async done(kind: string): Promise<Reply> {
    const shown = await this.until(`a task ${kind}`, ({ tasks }) =>
      tasks.some((task) => task.kind === kind && task.state === 'open'),
    );
    const task = shown.tasks.find((one) => one.kind === kind && one.state === 'open');
    return this.keyturn.call('POST', `/v1/tasks/${task?.id}/done`, { json: { note: 'test' } });
  }

  async states(): Promise<Record<number, string>> {
    const rows = await this.ledger.find('versions', { credential: 'lean/sandbox' }, { orderBy: 'version' });
    return Object.fromEntries(rows.map(({ version, state }) => [version, state]));
  }

  async kinds(): Promise<string[]> {
    const entries = await this.ledger.entries({ credential: 'lean/sandbox', limit: 1_000 });
    return entries.map(({ json }) => (JSON.parse(json) as { kind: string }).kind);
  }
}

const ROTATION = '/v1/credentials/lean%2Fsandbox/rotation';

/** As the API shows a rotation. */
export interface Shown {
  readonly id: string;
  readonly state: string;
  readonly step: string;
  readonly version: number | null;
  readonly replaces: number | null;
  readonly waitsFor: string | null;
  readonly next: string | null;
  readonly path: readonly string[];
  readonly found: Readonly<Record<string, unknown>>;
  readonly stragglers: readonly { readonly principal: string; readonly revealed?: boolean }[];
  readonly tasks: readonly {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly text?: string;
    readonly steps: readonly string[];
    readonly closedBy: string | null;
  }[];
}
