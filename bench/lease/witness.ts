import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionFile, parseConnection } from '../../src/client/connection-file.ts';
import { acceptAnswer } from '../../src/client/lease/accept.ts';
import { SeenLog } from '../../src/client/lease/seen-log.ts';
import { AnswerOpener } from '../../src/sealed/answer.ts';
import type { LogRows } from './log-rows.ts';

/** Longer than any commit takes on a machine that can be measured. */
const AT_REST_MS = 200;

export interface Access {
  readonly url: string;
  readonly token: string;
  readonly connection: ConnectionFile;
  readonly credential: string;
}

/** Looks from outside whether what a server answered is true: at the ledger's rows, and as a client would. */
export class Witness {
  readonly #log: LogRows;
  readonly #access: Access;
  readonly #openers: AnswerOpener[] = [];
  readonly #seen: SeenLog;

  constructor(log: LogRows, access: Access) {
    this.#log = log;
    this.#access = access;
    this.#seen = new SeenLog(parseConnection(access.connection).log);
  }

  /** Entries of granted leases. */
  granted(): Promise<number> {
    return this.#log.number("SELECT count(*) AS n FROM entries WHERE kind = 'lease.granted'");
  }

  /** The same, when what was under way as the load ended is done: no more came for a while. */
  async grantedAtRest(): Promise<number> {
    for (let last = -1; ; ) {
      const now = await this.granted();
      if (now === last) return now;
      last = now;
      await sleep(AT_REST_MS);
    }
  }

  size(): Promise<number> {
    return this.#log.number('SELECT size AS n FROM head');
  }

  /** HPKE public keys of so many client processes, the same ones each time. */
  clients(count: number): string[] {
    while (this.#openers.length < count) this.#openers.push(AnswerOpener.generate());
    return this.#openers.slice(0, count).map(({ publicKey }) => publicKey);
  }

  /**
   * Borrows `count` times, beside whatever load runs, as client processes of that load, and judges each answer with the
   * client's own code: receipt against the log seen before, sealed part opened, key against certificate.
   * @throws KeyturnError as the client would.
   */
  async verify(count: number): Promise<void> {
    const agent = new Agent({ ca: this.#access.connection.ca, keepAlive: true });
    try {
      for (let at = 0; at < count; at += 1) await this.#verifyOne(this.#openers[at % this.#openers.length]!, agent);
    } finally {
      agent.destroy();
    }
  }

  async #verifyOne(opener: AnswerOpener, agent: Agent): Promise<void> {
    const { url, token, credential } = this.#access;
    const sent = request(new URL(`/v1/credentials/${encodeURIComponent(credential)}/leases`, url), {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    sent.end(JSON.stringify({ hpkePublicKey: opener.publicKey, seen: this.#seen.size }));
    const [response] = await once(sent, 'response');
    const answer: unknown = JSON.parse((await response.setEncoding('utf8').toArray()).join(''));
    const expected = { call: 'grant', credential, lease: null, held: null } as const;
    const { material, companions } = acceptAnswer(answer, expected, this.#seen, opener);
    for (const octets of companions.values()) octets.dispose();
    if (material === null || companions.size === 0) throw new Error('A lease brought no key or no companion.');
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}
