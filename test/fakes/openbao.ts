import { TestCa } from './ca.ts';
import { askBao, type BaoCall, callBao } from './openbao/api.ts';
import { OpenBaoProcess } from './openbao/process.ts';

interface Initialised {
  readonly keys: readonly string[];
  readonly root_token: string;
}

/**
 * OpenBao's official server on loopback, initialised and unsealed, with TLS by an authority of the test's own, KV
 * version 2 at `secret/`, and a file audit device.
 */
export class OpenBao implements AsyncDisposable {
  readonly ca: TestCa;
  readonly process: OpenBaoProcess;
  readonly rootToken: string;
  readonly #unsealKey: string;

  constructor(ca: TestCa, process: OpenBaoProcess, { keys, root_token }: Initialised) {
    this.ca = ca;
    this.process = process;
    this.rootToken = root_token;
    this.#unsealKey = keys[0] ?? '';
  }

  static async start(): Promise<OpenBao> {
    const ca = await TestCa.create();
    const process = await OpenBaoProcess.start({ server: await ca.server(), caPem: ca.certificatePem });
    return OpenBao.initialised(ca, process);
  }

  /** Of a process that has just started. */
  static async initialised(ca: TestCa, process: OpenBaoProcess): Promise<OpenBao> {
    try {
      const body = { secret_shares: 1, secret_threshold: 1 };
      const made: Initialised = await askBao(process.url, ca.certificatePem, { path: 'sys/init', body });
      const server = new OpenBao(ca, process, made);
      await server.unseal();
      await server.active();
      await server.root({ path: 'sys/mounts/secret', body: { type: 'kv', options: { version: '2' } } });
      return server;
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  get url(): string {
    return this.process.url;
  }

  get unsealKey(): string {
    return this.#unsealKey;
  }

  /** As root; fails unless it succeeds. */
  root<T = Record<string, unknown>>(options: BaoCall): Promise<T> {
    return askBao(this.url, this.ca.certificatePem, { token: this.rootToken, ...options });
  }

  async unseal(): Promise<void> {
    await this.root({ path: 'sys/unseal', body: { key: this.#unsealKey } });
    await this.active();
  }

  async seal(): Promise<void> {
    await this.root({ path: 'sys/seal', body: {} });
  }

  async policy(name: string, hcl: string): Promise<void> {
    await this.root({ path: `sys/policies/acl/${name}`, body: { policy: hcl } });
  }

  /** A token without a parent. `options` as auth/token/create takes them, e.g. `ttl: '1h'`. */
  async token(policies: readonly string[], options: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const body = { policies, no_parent: true, no_default_policy: true, ...options };
    const { auth } = await this.root<{ auth: { client_token: string } }>({ path: 'auth/token/create', body });
    return auth.client_token;
  }

  /** Settled when it serves requests itself: a node elects itself a moment after it was unsealed. */
  async active(): Promise<void> {
    for (let asked = 0; asked < 400; asked += 1) {
      const { status } = await callBao(this.url, this.ca.certificatePem, { path: 'sys/health' });
      if (status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('OpenBao did not become active.');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process.stop();
  }
}
