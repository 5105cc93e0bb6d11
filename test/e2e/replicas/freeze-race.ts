import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import { TestCa } from '../../fakes/ca.ts';
import { entriesOf, lentWhileHeld } from '../freeze/freeze-order.ts';
import { TestInstance } from '../instance.ts';
import { type Answered, send } from '../kill/send.ts';
import { ReplicaSet } from './replica-set.ts';

const CREDENTIAL = '/v1/credentials/lean%2Fsandbox';
/** Lease requests under way when the freeze comes. */
const IN_FLIGHT = 6;

const SUBJECTS = [
  { target: 'credential', subject: 'lean/sandbox' },
  { target: 'version', subject: 'lean/sandbox', version: 1 },
  { target: 'principal', subject: 'service:payments' },
  { target: 'store', subject: 'file' },
] as const;

export interface RaceFigures {
  rounds: number;
  granted: number;
  renewed: number;
  refused: number;
  /** Rounds in which some were lent and some were refused: the freeze came in between. */
  divided: number;
}

/** Two servers over one ledger: leases and renewals at one while the other is told to freeze. */
export class FreezeRace implements AsyncDisposable {
  readonly figures: RaceFigures = { rounds: 0, granted: 0, renewed: 0, refused: 0, divided: 0 };
  readonly #lending: TestInstance;
  readonly #freezing: TestInstance;
  readonly #tokens: Readonly<Record<'payments' | 'bob', string>>;
  readonly #agent: Agent;
  readonly #undo: AsyncDisposableStack;
  readonly #hpkePublicKey = AnswerOpener.generate().publicKey;
  /** How long a lease took last, milliseconds: the freeze falls within. */
  #leaseMs = 10;

  private constructor(
    [lending, freezing]: readonly [TestInstance, TestInstance],
    tokens: Readonly<Record<'payments' | 'bob', string>>,
    agent: Agent,
    undo: AsyncDisposableStack,
  ) {
    this.#lending = lending;
    this.#freezing = freezing;
    this.#tokens = tokens;
    this.#agent = agent;
    this.#undo = undo;
  }

  static async start(): Promise<FreezeRace> {
    await using undo = new AsyncDisposableStack();
    const tokens = { payments: '', bob: '' };
    const prepare = async (first: TestInstance) => {
      tokens.payments = await first.grant('service:payments', 'service');
      tokens.bob = await first.grant('person:bob', 'approver', { credentials: ['**'] });
      const ca = await TestCa.create();
      const { keyPem, certificatePem } = await ca.client();
      await first.import('lean/sandbox', { 'all.pem': Buffer.from(keyPem + certificatePem + ca.chainPem) });
    };
    const set = undo.use(await ReplicaSet.start({ servers: 2, prepare }));
    const [lending, freezing] = [await open(set.homes[0], undo), await open(set.homes[1], undo)];
    const agent = undo.adopt(new Agent({ keepAlive: true, ca: await lending.ca }), (each) => each.destroy());
    return new FreezeRace([lending, freezing], tokens, agent, undo.move());
  }

  /** One freeze in the middle of leases and renewals, and its lifting. Everything is answered when it resolves. */
  async round(random: () => number): Promise<void> {
    const live = await this.#lease();
    if (live.status !== 201) throw new Error(`no lease before the freeze: ${live.text}`);
    const { lease } = JSON.parse(live.text) as { lease: string };
    const delay = random() * 2 * this.#leaseMs;
    const asked = Array.from({ length: IN_FLIGHT }, (_, at) => (at % 2 === 0 ? this.#lease() : this.#renew(lease)));
    const frozen = sleep(delay).then(() => this.#freeze(this.figures.rounds));
    const answers = await Promise.all(asked);
    const hold = await frozen;
    for (const token of [this.#freezing.admin, this.#tokens.bob]) await this.#thaw(hold, token);
    this.#count(answers);
    // The lending server may hear of the lifting a moment later; until then it lends less than it may.
    await until(
      () => this.#lease(),
      ({ status }) => status === 201,
    );
  }

  /** What the log itself says was lent while it was frozen: nothing may be. */
  async faults(): Promise<string[]> {
    const { text } = await this.#freezing.call('GET', '/v1/audit/export');
    return lentWhileHeld(entriesOf(text));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }

  #count(answers: readonly Answered[]): void {
    const { figures } = this;
    const of = (status: number) => answers.filter((answer) => answer.status === status).length;
    const strange = answers.find(({ status }) => ![200, 201, 403].includes(status));
    if (strange !== undefined) throw new Error(`${strange.status}: ${strange.text}`);
    figures.rounds += 1;
    figures.granted += of(201);
    figures.renewed += of(200);
    figures.refused += of(403);
    if (of(403) > 0 && of(403) < answers.length) figures.divided += 1;
  }

  async #freeze(round: number): Promise<string> {
    const json = { ...SUBJECTS[round % SUBJECTS.length], reason: 'race' };
    const answer = await this.#post(this.#freezing, '/v1/holds', this.#freezing.admin, json);
    must(201, answer);
    return (JSON.parse(answer.text) as { hold: string }).hold;
  }

  /** Under load a freeze answers when the journal has it, and the ledger takes it a moment later. */
  async #thaw(hold: string, token: string): Promise<void> {
    const thawed = await until(
      () => this.#post(this.#freezing, `/v1/holds/${hold}/thaw`, token),
      ({ status }) => status !== 404,
    );
    must(200, thawed);
  }

  async #lease(): Promise<Answered> {
    const started = performance.now();
    const wish = { hpkePublicKey: this.#hpkePublicKey, seen: 0 };
    const answer = await this.#post(this.#lending, `${CREDENTIAL}/leases`, this.#tokens.payments, wish);
    this.#leaseMs = performance.now() - started;
    return answer;
  }

  #renew(lease: string): Promise<Answered> {
    const wish = { hpkePublicKey: this.#hpkePublicKey, seen: 0, uses: [] };
    return this.#post(this.#lending, `/v1/leases/${lease}/renew`, this.#tokens.payments, wish);
  }

  async #post(at: TestInstance, path: string, token: string, json: object = {}): Promise<Answered> {
    const body = Buffer.from(JSON.stringify(json));
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': body.length,
    };
    const answer = await send(new URL(path, at.url), { method: 'POST', agent: this.#agent, headers }, body);
    if (answer === null) throw new Error(`no answer to ${path}`);
    return answer;
  }
}

async function open(home: string | undefined, undo: AsyncDisposableStack): Promise<TestInstance> {
  if (home === undefined) throw new Error('There is no such server.');
  return undo.adopt(await TestInstance.open(home), (instance) => instance.serving.stop());
}

/** @throws Error when it never comes. */
async function until(ask: () => Promise<Answered>, wanted: (answer: Answered) => boolean): Promise<Answered> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await sleep(5);
  }
  throw new Error('waited for in vain');
}

function must(status: number, answer: Answered): void {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}: ${answer.text}`);
}
