import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseAnswer } from '../../../src/client/wire.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import type { Acknowledged } from '../kill/caller.ts';
import { send } from '../kill/send.ts';

/** What a server that is alive may answer while its database is away. */
const BUSY = new Set([429, 503, 504]);
/** After a refusal or a broken connection, milliseconds. */
const AGAIN_MS = 100;

export interface CallersOptions {
  readonly urls: readonly string[];
  readonly ca: string;
  readonly service: string;
  readonly administrator: string;
}

/** At each server one who leases without a pause and one who freezes now and then; every answer is kept. */
export class SoakCallers {
  readonly leases: Extract<Acknowledged, { kind: 'lease' }>[] = [];
  /** Ids of the holds that were acknowledged, by the ledger or by a journal. */
  readonly holds: string[] = [];
  journalled = 0;
  /** Answers that no server may give. */
  readonly faults: string[] = [];
  readonly #options: CallersOptions;
  readonly #agent: Agent;
  readonly #hpkePublicKey = AnswerOpener.generate().publicKey;
  readonly #calling: Promise<void>[];
  #over = false;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, ca: options.ca });
    this.#calling = options.urls.flatMap((url, at) => [this.#lend(url), this.#freeze(url, at)]);
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#calling);
    this.#agent.destroy();
  }

  async #lend(url: string): Promise<void> {
    const path = '/v1/credentials/lean%2Fsandbox/leases';
    const wish = { hpkePublicKey: this.#hpkePublicKey, seen: 0 };
    while (!this.#over) {
      const answer = await this.#post(new URL(path, url), this.#options.service, wish);
      if (answer === null) continue;
      const { lease, version, receipt } = answer as LeaseAnswer;
      const { index: entry, entry: json, checkpoint } = receipt;
      this.leases.push({ kind: 'lease', entry, json, lease, version, checkpoint });
    }
  }

  /** Principals that nobody is: a freeze that clients could not ask about would end their leases, and rightly. */
  async #freeze(url: string, at: number): Promise<void> {
    for (let count = 0; !this.#over; count += 1) {
      const json = { target: 'principal', subject: `service:gone-${at}-${count}`, reason: 'soak' };
      const answer = await this.#post(new URL('/v1/holds', url), this.#options.administrator, json);
      if (answer === null) continue;
      const { hold, durable } = answer as { hold: string; durable: 'ledger' | 'journal' };
      this.holds.push(hold);
      if (durable === 'journal') this.journalled += 1;
      await sleep(5 * AGAIN_MS);
    }
  }

  /** The JSON of a success; null, a moment later, when there was none. */
  async #post(url: URL, token: string, json: object): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(json));
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': body.length,
    };
    const answer = await send(url, { method: 'POST', agent: this.#agent, headers }, body);
    if (answer !== null && answer.status < 300) return JSON.parse(answer.text) as unknown;
    if (answer !== null && !BUSY.has(answer.status)) this.faults.push(`${answer.status}: ${answer.text}`);
    await sleep(AGAIN_MS);
    return null;
  }
}
