import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { doChores } from '../../../src/compose/serve.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import { type Partner, startPartner } from '../../fakes/partner/partner.ts';
import { type Canary, keyCanary } from '../canary/search/secrets.ts';
import { edit, type Reply, TestInstance } from '../instance.ts';
import type { RemoteStore } from './remote-store.ts';

/** The key of this one rests in the instance's own file, that of the other in the store elsewhere. */
export const NEAR = 'lean/sandbox';
export const FAR = 'lean/production';

/** A server with a second key store elsewhere, and a service that may borrow from both. */
export class StoreScene implements AsyncDisposable {
  readonly keyturn: TestInstance;
  readonly remote: RemoteStore;
  readonly canaries: Canary[];
  /** All that the server has answered. */
  readonly answered: string[] = [];
  readonly #partners: Readonly<Record<string, Partner>>;
  #service = '';

  private constructor(keyturn: TestInstance, remote: RemoteStore, partners: Readonly<Record<string, Partner>>) {
    this.keyturn = keyturn;
    this.remote = remote;
    this.#partners = partners;
    this.canaries = [...remote.canaries];
  }

  /** The store elsewhere is down when the server starts. */
  static async start(remote: RemoteStore): Promise<StoreScene> {
    const [near, far] = await Promise.all([startPartner(), startPartner({ environment: 'production' })]);
    const keyturn = await TestInstance.start();
    const scene = new StoreScene(keyturn, remote, { [NEAR]: near, [FAR]: far });
    const setting = await remote.configure(keyturn.home);
    await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({
      ...config,
      stores: { [remote.kind]: setting },
      // Long enough for a busy machine; a freeze empties it.
      cache: { seconds: 60 },
    }));
    await remote.set('down');
    await keyturn.restart();
    scene.#service = await keyturn.grant('service:payments', 'service');
    return scene;
  }

  /** Everything that the server wrote or answered so far, its metrics included. */
  async surfaces(): Promise<string> {
    const audit = await this.keyturn.call('GET', '/v1/audit/export');
    return [...this.keyturn.log, ...this.answered, audit.text, await this.metrics()].join('\n');
  }

  async metrics(): Promise<string> {
    return (await this.keyturn.call('GET', '/metrics', { token: null })).text;
  }

  /** A fresh certificate of the partner's. What is not accepted can be sent again by the function that comes with it. */
  async import(credential: string, store?: string): Promise<{ reply: Reply; again: () => Promise<Reply> }> {
    const partner = this.#partners[credential];
    if (partner === undefined) throw new Error(`Nobody issues ${credential}.`);
    const { zip, keyPem } = await partner.portal.generate({ key: 'ec-p256' });
    this.canaries.push(keyCanary(`key ${this.canaries.length}`, createPrivateKey(keyPem)));
    const files = { 'cert.zip': zip, 'chain.zip': await partner.portal.chain() };
    const again = async () =>
      this.#kept(await this.keyturn.import(credential, files, store === undefined ? {} : { store }));
    return { reply: await again(), again };
  }

  async lease(credential: string): Promise<Reply> {
    const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0 };
    const path = `/v1/credentials/${encodeURIComponent(credential)}/leases`;
    return this.#kept(await this.keyturn.call('POST', path, { token: this.#service, json }));
  }

  async renew(lease: Reply): Promise<Reply> {
    const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0, uses: [] };
    const path = `/v1/leases/${String(lease.body['lease'])}/renew`;
    return this.#kept(await this.keyturn.call('POST', path, { token: this.#service, json }));
  }

  /** `1 current, 2 pending`. */
  async versions(credential: string): Promise<string> {
    const { body } = await this.keyturn.call('GET', `/v1/credentials/${encodeURIComponent(credential)}`);
    const versions = body['versions'] as { version: number; state: string }[];
    return versions.map(({ version, state }) => `${version} ${state}`).join(', ');
  }

  /** What the server does by itself now and then. */
  chores(): Promise<void> {
    return doChores(this.keyturn.serving.instance);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keyturn.stop();
    for (const partner of Object.values(this.#partners)) await partner.stop();
    await this.remote[Symbol.asyncDispose]();
  }

  #kept(reply: Reply): Reply {
    this.answered.push(reply.text);
    return reply;
  }
}
