import { Agent } from 'node:https';
import { multipart } from '../../../src/cli/api/form.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import { send } from '../kill/send.ts';

export const CREDENTIAL = 'lean/sandbox';
const PATH = `/v1/credentials/${encodeURIComponent(CREDENTIAL)}`;

/** As the API shows a rotation. */
export interface Shown {
  readonly id: string;
  readonly state: string;
  readonly step: string;
  readonly version: number | null;
  readonly tasks: readonly Task[];
}

export interface Task {
  readonly id: string;
  readonly kind: 'import' | 'certificate' | 'revoke' | 'look';
  readonly state: string;
  readonly serial?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a person asks of one server. Null: it was gone before it answered, and whether it happened is not known. */
export class PersonsDesk {
  readonly #url: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(url: string, { ca, token }: { readonly ca: string; readonly token: string }) {
    this.#url = url;
    this.#token = token;
    this.#agent = new Agent({ keepAlive: true, ca });
  }

  close(): void {
    this.#agent.destroy();
  }

  start(): Promise<Answer | null> {
    return this.#json('POST', `${PATH}/rotation`, { reason: 'test' });
  }

  order(verb: 'abort' | 'roll-back'): Promise<Answer | null> {
    return this.#json('POST', `${PATH}/rotation/${verb}`, { reason: 'test' });
  }

  /** Null too when there has never been one. */
  async show(): Promise<Shown | null> {
    const answer = await this.#ask('GET', `${PATH}/rotation`, 'application/json', Buffer.alloc(0));
    return answer?.status === 200 ? (answer.body as unknown as Shown) : null;
  }

  upload(files: Readonly<Record<string, Buffer>>): Promise<Answer | null> {
    const parts = Object.entries(files).map(([name, bytes]) => ({ field: 'file', name, bytes }));
    const { type, body } = multipart(parts, { environment: 'sandbox' });
    return this.#ask('POST', `${PATH}/versions`, type, body);
  }

  done(task: string): Promise<Answer | null> {
    return this.#json('POST', `/v1/tasks/${task}/done`, { note: 'test' });
  }

  lease(): Promise<Answer | null> {
    return this.#json('POST', `${PATH}/leases`, { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0 });
  }

  giveBack(lease: string): Promise<Answer | null> {
    return this.#ask('DELETE', `/v1/leases/${lease}`, 'application/json', Buffer.alloc(0));
  }

  #json(method: string, path: string, body: object): Promise<Answer | null> {
    return this.#ask(method, path, 'application/json', Buffer.from(JSON.stringify(body)));
  }

  async #ask(method: string, path: string, type: string, body: Buffer): Promise<Answer | null> {
    const headers = {
      authorization: `Bearer ${this.#token}`,
      ...(body.length === 0 ? {} : { 'content-type': type, 'content-length': body.length }),
    };
    const answer = await send(new URL(path, this.#url), { method, agent: this.#agent, headers }, body);
    if (answer === null) return null;
    const { status, text } = answer;
    return { status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}
