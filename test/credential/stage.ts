import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LeaseAnswer } from '../../src/client/wire.ts';
import type { KeyStoreDriver } from '../../src/keystore/driver.ts';
import { AnswerOpener } from '../../src/sealed/answer.ts';
import { copyOf, freshHome } from '../e2e/home.ts';
import { type CallOptions, edit, type Reply, TestInstance } from '../e2e/instance.ts';
import { type Issued, TestCa } from '../fakes/ca.ts';

/** A clock that a test moves; it starts at the real time, so that certificates are in force. */
export class HandClock {
  #ahead = 0;
  now = (): number => Date.now() + this.#ahead;
  monotonic = (): number => performance.now() + this.#ahead;
  forward(ms: number): void {
    this.#ahead += ms;
  }
}

/** An instance with a CA whose certificates it takes, and the calls that tests make most. */
export class Stage {
  readonly keyturn: TestInstance;
  readonly ca: TestCa;
  readonly clock: HandClock;
  readonly #end = Promise.withResolvers<never>();

  private constructor(keyturn: TestInstance, ca: TestCa, clock: HandClock) {
    this.keyturn = keyturn;
    this.ca = ca;
    this.clock = clock;
    this.#end.promise.catch(() => {});
  }

  /** Unless a test asks for it no key is kept: reads reach the driver, where tests hold them up. */
  static async set(
    options: {
      leases?: { default: string; maximum: string };
      cache?: { seconds: number };
      issuers?: Readonly<Record<string, object>>;
      stores?: Readonly<Record<string, object>>;
    } = {},
  ): Promise<Stage> {
    const clock = new HandClock();
    const home = await freshHome();
    await edit(join(home, 'keyturn.yaml'), (config) => ({ ...config, cache: 'off', ...options }));
    return new Stage(await TestInstance.open(home, clock), await TestCa.create(), clock);
  }

  get desk() {
    return this.keyturn.serving.instance.desk;
  }

  get driver(): KeyStoreDriver {
    return this.keyturn.serving.instance.store.driver;
  }

  /** What a call waits for that never answers, and that a server which stops would wait for: fails with the stage's end. */
  get end(): Promise<never> {
    return this.#end.promise;
  }

  strike(): Promise<void> {
    this.#end.reject(new Error('the stage was struck'));
    return this.keyturn.stop();
  }

  /** A key with its certificate and chain, as one file. */
  async file(issued?: Issued): Promise<Buffer> {
    const { keyPem, certificatePem } = issued ?? (await this.ca.client());
    return Buffer.from(keyPem + certificatePem + this.ca.chainPem);
  }

  async import(credential = 'lean/sandbox', issued?: Issued): Promise<Reply> {
    return this.keyturn.import(credential, { 'all.pem': await this.file(issued) });
  }

  promote(version: number, credential = 'lean/sandbox'): Promise<Reply> {
    return this.post(`/v1/credentials/${encodeURIComponent(credential)}/versions/${version}/promote`);
  }

  freeze(target: string, subject: string, more: { version?: number } = {}, token?: string): Promise<Reply> {
    return this.post('/v1/holds', {
      json: { target, subject, reason: 'test', ...more },
      ...(token === undefined ? {} : { token }),
    });
  }

  post(path: string, options: CallOptions = {}): Promise<Reply> {
    return this.keyturn.call('POST', path, options);
  }

  lease(token: string, more: Record<string, unknown> = {}, credential = 'lean/sandbox'): Promise<Reply> {
    return this.post(`/v1/credentials/${encodeURIComponent(credential)}/leases`, {
      token,
      json: { hpkePublicKey: OPENER.publicKey, seen: 0, ...more },
    });
  }

  renew(token: string, id: unknown, more: Record<string, unknown> = {}): Promise<Reply> {
    return this.post(`/v1/leases/${String(id)}/renew`, {
      token,
      json: { hpkePublicKey: OPENER.publicKey, seen: 0, uses: [], ...more },
    });
  }

  reveal(token: string, version = 1): Promise<Reply> {
    return this.post(`/v1/credentials/lean%2Fsandbox/versions/${version}/reveal`, {
      token,
      json: { hpkePublicKey: OPENER.publicKey, reason: 'a test' },
    });
  }

  companion(value: string, name = 'lean-app-token'): Promise<Reply> {
    return this.keyturn.call('PUT', `/v1/credentials/lean%2Fsandbox/companions/${name}`, {
      raw: Buffer.from(value),
      headers: { 'content-type': 'application/octet-stream' },
    });
  }

  /** Keeps the ledger from committing until the returned function is called: after two seconds it counts as stalled. */
  blockLedger(): () => void {
    const other = new DatabaseSync(join(this.keyturn.home, 'ledger', 'ledger.db'));
    other.exec('BEGIN IMMEDIATE');
    return () => {
      other.exec('ROLLBACK');
      other.close();
    };
  }

  /** Breaks the ledger for good: its writer meets an error that is no constraint. */
  breakLedger(): void {
    alter(this.keyturn.home, 'ALTER TABLE entries RENAME TO gone');
  }

  /** What a crash at this moment would leave on disk, opened anew elsewhere. */
  async afterCrash(ledger: 'sound' | 'broken' = 'sound'): Promise<TestInstance> {
    const home = await this.copyOfDisk();
    if (ledger === 'broken') alter(home, 'ALTER TABLE gone RENAME TO entries');
    return TestInstance.open(home, this.clock);
  }

  copyOfDisk(): Promise<string> {
    return copyOf(this.keyturn.home);
  }
}

function alter(home: string, sql: string): void {
  const other = new DatabaseSync(join(home, 'ledger', 'ledger.db'));
  other.exec(sql);
  other.close();
}

export const OPENER = AnswerOpener.generate();

/** The octets of the secrets in an answer, by name. */
export function opened(reply: Reply): Map<string, Buffer> {
  const { sealed, lease, credential, version, spki, expiresAt } = reply.body as unknown as LeaseAnswer;
  if (sealed === null || sealed === undefined) throw new Error(`nothing sealed: ${reply.text.slice(0, 300)}`);
  const id = lease ?? String(reply.body['request']);
  const secrets = OPENER.open(sealed, { lease: id, credential, version, spki, expiresAt });
  return new Map([...secrets].map(([name, octets]) => [name, octets.bytes]));
}

/** Gives the permission that no shipped role has; the token of before goes on. */
export async function allowReveal({ keyturn }: Stage, principal: string): Promise<string> {
  await edit(join(keyturn.home, 'policies', 'access', 'roles.yaml'), (file) => ({
    roles: [
      ...(file['roles'] as unknown[]),
      { name: 'revealer', title: 'Sees keys', permissions: ['credential:reveal', 'credential:list'] },
    ],
  }));
  return keyturn.grant(principal, 'revealer', { credentials: ['**'] });
}

/** A gate in the driver's reads: what is between a decision and its commit. */
export function gateReads(driver: KeyStoreDriver): { readonly reached: Promise<void>; open(): void } {
  const read = driver.read.bind(driver);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  driver.read = async (record) => {
    reached.resolve();
    await gate.promise;
    return read(record);
  };
  return {
    reached: reached.promise,
    open: () => {
      driver.read = read;
      gate.resolve();
    },
  };
}

/** Makes the next write fail, before or after the record has landed; or land, and answer no sooner than the promise fails. */
export function failNextWrite(driver: KeyStoreDriver, when: 'before' | 'after' | Promise<never>): Promise<void> {
  const write = driver.write.bind(driver);
  const reached = Promise.withResolvers<void>();
  driver.write = async (record, octets) => {
    driver.write = write;
    if (when !== 'before') await write(record, octets);
    reached.resolve();
    if (typeof when !== 'string') await when;
    throw new Error('an error of the store that quotes a secret');
  };
  return reached.promise;
}
