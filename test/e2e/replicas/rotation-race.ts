import { join } from 'node:path';
import { edit, type Reply, TestInstance } from '../instance.ts';
import { startRemoteVault } from '../stores/remote-vault.ts';
import { type Recorded, readKinds } from './recorded.ts';
import { ReplicaSet } from './replica-set.ts';

const ROTATION = '/v1/credentials/lean%2Fsandbox/rotation';
const PACE = { longestRequestMs: 10, lookMs: 5, retryMs: 5, retryMostMs: 50 };
/** Looks at one rotation until it must have ended. */
const MOST_LOOKS = 400;

export interface RotationRaceFigures {
  rotations: number;
  /** Starts that lost, and were told who had won. */
  losers: number;
  /** Times that every connection to the database was cut in the midst of a rotation. */
  cuts: number;
  /** Steps that each of the servers has done. */
  readonly steps: [number, number];
}

/**
 * Two servers over one ledger, with one key store elsewhere: both begin each rotation, both go on with it at once, and
 * both tell it to go on without the proof.
 */
export class RotationRace implements AsyncDisposable {
  readonly figures: RotationRaceFigures = { rotations: 0, losers: 0, cuts: 0, steps: [0, 0] };
  readonly faults: string[] = [];
  readonly #servers: readonly [TestInstance, TestInstance];
  readonly #set: ReplicaSet;
  readonly #undo: AsyncDisposableStack;

  private constructor(servers: readonly [TestInstance, TestInstance], set: ReplicaSet, undo: AsyncDisposableStack) {
    this.#servers = servers;
    this.#set = set;
    this.#undo = undo;
  }

  static async start(): Promise<RotationRace> {
    await using undo = new AsyncDisposableStack();
    const remote = undo.use(await startRemoteVault());
    const prepare = async ({ home }: TestInstance) => {
      const setting = await remote.configure(home);
      await edit(join(home, 'keyturn.yaml'), (config) => ({
        ...config,
        stores: { vault: setting },
        'default-store': 'vault',
        issuers: { internal: { kind: 'local', store: 'vault' } },
      }));
      await edit(join(home, 'policies', 'partners', 'lean.yaml'), profileOf);
    };
    const set = undo.use(await ReplicaSet.start({ servers: 2, prepare }));
    const figures: [number, number] = [0, 0];
    const open = async (at: 0 | 1) => {
      const onPoint = (name: string) => {
        if (name.endsWith(':journaled')) figures[at] += 1;
      };
      const server = await TestInstance.open(set.homes[at] ?? '', undefined, { pace: PACE, onPoint });
      undo.defer(() => server.serving.stop());
      return server;
    };
    const race = new RotationRace([await open(0), await open(1)], set, undo.move());
    race.figures.steps.splice(0, 2);
    Object.assign(race.figures, { steps: figures });
    return race;
  }

  /** One rotation; with `cut`, the database drops everybody in its midst. */
  async round(cut: boolean): Promise<void> {
    const started = await this.#both((server) => server.call('POST', ROTATION, { json: { reason: 'test' } }));
    const won = started.filter(({ status }) => status === 201);
    const lost = started.filter(({ status }) => status === 409);
    if (won.length !== 1 || lost.length !== 1) {
      this.faults.push(
        `both began a rotation, with ${started.map(({ status, text }) => `${status} ${text}`).join(' and ')}`,
      );
    }
    const id = String(won[0]?.body['id']);
    for (const { body } of lost) {
      const told = String(body['detail']);
      if (!told.includes(id) || !told.includes('person:alice')) {
        this.faults.push(`the loser of ${id} was not told who had won: ${JSON.stringify(body)}`);
      }
    }
    this.figures.losers += lost.length;
    await this.#toItsEnd(id, cut);
    this.figures.rotations += 1;
  }

  /** From the log: what is done once a rotation was done once; the rows say the same. */
  async examine(): Promise<string[]> {
    const { ledger } = this.#servers[0].serving.instance.desk;
    const log = await readKinds(ledger, 'lean/sandbox');
    const issued = await ledger.find('issued', {}, { limit: 100_000 });
    const versions = await ledger.find('versions', {}, { limit: 100_000 });
    const living = issued.filter(({ revoked_at }) => revoked_at === null).length;
    return [
      ...this.faults,
      ...twice(log, this.figures.rotations),
      ...(issued.length === this.figures.rotations ? [] : [`${issued.length} certificates were issued`]),
      ...(living === 1 ? [] : [`${living} certificates are not revoked`]),
      ...versions
        .filter(({ state }) => state !== 'current' && state !== 'destroyed')
        .map(({ version, state }) => `version ${version} is ${state}`),
    ];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }

  async #toItsEnd(id: string, cut: boolean): Promise<void> {
    const { ledger } = this.#servers[1].serving.instance.desk;
    let toCut = cut;
    for (let look = 0; look < MOST_LOOKS; look += 1) {
      const ticks = this.#both(({ serving }) => serving.instance.rotator.tick().catch(() => undefined));
      if (toCut) await this.#cut();
      toCut = false;
      await ticks;
      const [row] = await ledger.find('rotations', { id });
      if (row?.ended_at != null) {
        if (row.state !== 'completed') this.faults.push(`${id} ended ${row.state}`);
        return;
      }
      if (row?.step === 'prove') await this.#waive(id);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const [row] = await ledger.find('rotations', { id });
    this.faults.push(`${id} never ended: ${JSON.stringify(row)}`);
  }

  /** Both at once: whoever comes second finds it moved on, ended, or waived already. */
  async #waive(id: string): Promise<void> {
    const json = { what: 'proof', reason: 'test' };
    const answers = await this.#both((server) => server.call('POST', `${ROTATION}/waivers`, { json }));
    if (answers.some(({ status }) => ![200, 404, 409, 503].includes(status))) {
      this.faults.push(`${id} was waived with ${answers.map(({ status, text }) => `${status} ${text}`).join(' and ')}`);
    }
  }

  async #cut(): Promise<void> {
    this.figures.cuts += 1;
    await this.#set.cluster.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${this.#set.database}'`,
    );
  }

  #both<T = Reply>(act: (server: TestInstance) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#servers.map(act));
  }
}

/** What may stand on the log once a rotation at most. */
const ONCE = [
  'rotation.csr-intended',
  'version.key-made',
  'version.issued',
  'version.promoted',
  'version.revoked',
  'version.proven-dead',
  'rotation.completed',
];

function twice(log: readonly Recorded[], rotations: number): string[] {
  const faults: string[] = [];
  for (const kind of ONCE) {
    const of = Map.groupBy(
      log.filter((entry) => entry.kind === kind),
      ({ data }) => String(data['rotation']),
    );
    for (const [id, entries] of of)
      if (entries.length > 1) faults.push(`${kind} stands ${entries.length} times for ${id}`);
  }
  const completed = log.filter(({ data }) => data['ended'] === 'completed').length;
  return completed === rotations ? faults : [...faults, `${completed} of ${rotations} have completed`];
}

function profileOf(profile: Record<string, unknown>): object {
  const { sandbox = {} } = profile['environments'] as Record<string, Record<string, unknown>>;
  const { test: _test, companions: _companions, ...rest } = sandbox;
  return {
    ...profile,
    environments: {
      sandbox: {
        ...rest,
        issuance: { issuer: 'internal', key: 'keyturn', live: 2 },
        revocation: { by: 'issuer', propagation: '1s' },
      },
    },
  };
}
