import { Agent } from 'node:https';
import { multipart } from '../../../src/cli/api/form.ts';
import type { LeaseAnswer } from '../../../src/client/wire.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import type { TestCa } from '../../fakes/ca.ts';
import { send } from './send.ts';

/** What a server has acknowledged before it was killed: it must stand for ever. */
export type Acknowledged =
  | { readonly kind: 'import'; readonly entry: number; readonly version: number; readonly spki: string }
  | { readonly kind: 'companion'; readonly entry: number; readonly generation: number }
  | {
      readonly kind: 'lease';
      readonly entry: number;
      readonly json: string;
      readonly lease: string;
      readonly version: number;
      readonly checkpoint: string;
    };

export const CREDENTIAL = 'lean/sandbox';
const PATH = `/v1/credentials/${encodeURIComponent(CREDENTIAL)}`;

interface Access {
  readonly serverCa: string;
  readonly token: string;
  readonly partner: TestCa;
}

/** Asks one server, one thing after the other, and keeps every answer. A connection that breaks ends it. */
export class Caller {
  readonly acknowledged: Acknowledged[] = [];
  readonly #url: string;
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(url: string, access: Access) {
    this.#url = url;
    this.#access = access;
    this.#agent = new Agent({ keepAlive: true, ca: access.serverCa });
  }

  /** The steps in turn, over and over until the server is gone. */
  async until(gone: Promise<unknown>, steps: readonly (() => Promise<boolean>)[]): Promise<void> {
    let over = false;
    void gone.then(() => {
      over = true;
    });
    for (let at = 0; !over; at += 1) {
      if (!(await steps[at % steps.length]?.())) break;
    }
    this.#agent.destroy();
  }

  /** False when the connection broke: whether it happened is then not known. */
  readonly import = async (): Promise<boolean> => {
    const { keyPem, certificatePem } = await this.#access.partner.client();
    const pem = Buffer.from(keyPem + certificatePem + this.#access.partner.certificatePem);
    const form = multipart([{ field: 'file', name: 'all.pem', bytes: pem }], { environment: 'sandbox' });
    const answer = await this.#ask('POST', `${PATH}/versions`, form.type, form.body);
    if (answer === null) return false;
    const { entry, version, custody } = answer as { entry: number; version: number; custody: { spki: string } };
    this.acknowledged.push({ kind: 'import', entry, version, spki: custody.spki });
    return true;
  };

  readonly companion = async (): Promise<boolean> => {
    const value = Buffer.from(`token ${Math.random()}`);
    const answer = await this.#ask('PUT', `${PATH}/companions/app-token`, 'application/octet-stream', value);
    if (answer === null) return false;
    const { entry, generation } = answer as { entry: number; generation: number };
    this.acknowledged.push({ kind: 'companion', entry, generation });
    return true;
  };

  readonly lease = async (): Promise<boolean> => {
    const opener = AnswerOpener.generate();
    const wish = Buffer.from(JSON.stringify({ hpkePublicKey: opener.publicKey, seen: 0 }));
    const answer = await this.#ask('POST', `${PATH}/leases`, 'application/json', wish);
    if (answer === null) return false;
    const { lease, version, receipt } = answer as LeaseAnswer;
    const { index: entry, entry: json, checkpoint } = receipt;
    this.acknowledged.push({ kind: 'lease', entry, json, lease, version, checkpoint });
    return true;
  };

  /** The JSON of an answer; null when none came. @throws Error for a refusal, which no step expects. */
  async #ask(method: string, path: string, type: string, body: Buffer): Promise<unknown> {
    const headers = {
      authorization: `Bearer ${this.#access.token}`,
      'content-type': type,
      'content-length': body.length,
    };
    const answer = await send(new URL(path, this.#url), { method, agent: this.#agent, headers }, body);
    if (answer === null) return null;
    if (answer.status < 300) return JSON.parse(answer.text) as unknown;
    throw new Error(`${method} ${path} was refused with ${answer.status}: ${answer.text}`);
  }
}
