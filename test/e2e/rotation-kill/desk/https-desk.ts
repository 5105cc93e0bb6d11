import { Agent } from 'node:https';
import { multipart } from '../../../../src/cli/api/form.ts';
import { AnswerOpener } from '../../../../src/sealed/answer.ts';
import { send } from '../../kill/send.ts';
import { type Answer, CREDENTIAL, type Files, type PersonsDesk, type Shown, shownIn } from './desk.ts';

const PATH = `/v1/credentials/${encodeURIComponent(CREDENTIAL)}`;

/** Of a server that listens, as every program speaks to it. */
export class HttpsDesk implements PersonsDesk {
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

  async show(): Promise<Shown | 'none' | null> {
    const answer = await this.#ask('GET', `${PATH}/rotation`, 'application/json', Buffer.alloc(0));
    return answer === null ? null : shownIn(answer);
  }

  upload(files: Files): Promise<Answer | null> {
    return this.#form(`${PATH}/versions`, files);
  }

  attach(files: Files): Promise<Answer | null> {
    return this.#form(`${PATH}/rotation/certificate`, files);
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

  #form(path: string, files: Files): Promise<Answer | null> {
    const parts = Object.entries(files).map(([name, bytes]) => ({ field: 'file', name, bytes }));
    const { type, body } = multipart(parts, { environment: 'sandbox' });
    return this.#ask('POST', path, type, body);
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
    return { ok: status < 300, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}
