import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRecord } from '../../../../src/keystore/record-name.ts';
import type { TestInstance } from '../../instance.ts';
import { type Canary, keyCanary, octetsCanary, textCanary, tokenCanary } from '../search/secrets.ts';

/** The secrets of one story, made anew for every run. */
export class Planted {
  /** With what JSON and URLs escape; a header takes it as it is. */
  readonly appToken = `app"token\\%+/${randomBytes(12).toString('base64')}`;
  readonly passphrase = `pass phrase"\\ü/${randomBytes(12).toString('base64')}`;
  readonly wrongPassphrase = `wrong one"\\ü/${randomBytes(12).toString('base64')}`;
  readonly #canaries = new Map<string, Canary>();
  readonly #keys = new Map<string, KeyObject>();
  readonly #tokens = new Map<string, string>();

  constructor() {
    this.#add(textCanary('app token', this.appToken));
    this.#add(textCanary('passphrase', this.passphrase));
    this.#add(textCanary('wrong passphrase', this.wrongPassphrase));
  }

  get canaries(): Canary[] {
    return [...this.#canaries.values()];
  }

  /** Canaries of keys alone. */
  get keyCanaries(): Canary[] {
    return [...this.#keys.keys()].map((name) => this.#canaries.get(name)!);
  }

  key(name: string, key: KeyObject | string): KeyObject {
    const object = typeof key === 'string' ? createPrivateKey(key) : key;
    this.#keys.set(name, object);
    this.#add(keyCanary(name, object));
    return object;
  }

  /** PKCS#8. */
  pem(name: string): string {
    return String(this.#keys.get(name)?.export({ format: 'pem', type: 'pkcs8' }));
  }

  token(name: string, token: string): string {
    this.#tokens.set(name, token);
    this.#add(tokenCanary(name, token));
    return token;
  }

  /** The secrets of an instance itself. */
  async of(keyturn: TestInstance): Promise<void> {
    const { store } = keyturn.serving.instance;
    for (const purpose of ['log', 'ca'] as const) {
      using octets = await store.read(systemRecord(purpose, 1));
      this.key(`${purpose} key`, createPrivateKey({ key: octets.bytes, format: 'der', type: 'pkcs8' }));
    }
    const master = await readFile(join(keyturn.home, 'master', 'master.key'), 'utf8');
    this.#add(octetsCanary('master key', Buffer.from(master.trim(), 'base64')));
    this.token('administrator’s token', keyturn.admin);
  }

  /** A text of each secret, for whoever is to give it away. */
  leaks(): Map<string, string> {
    const pems = [...this.#keys.keys()].map((name) => [name, this.pem(name)] as const);
    const texts = { 'app token': this.appToken, passphrase: this.passphrase, 'wrong passphrase': this.wrongPassphrase };
    return new Map([...pems, ...this.#tokens, ...Object.entries(texts)]);
  }

  /** @throws Error when another has the name: it would not be looked for any more. */
  #add(canary: Canary): void {
    const known = this.#canaries.get(canary.name);
    if (known !== undefined && told(known) !== told(canary)) throw new Error(`There are two: ${canary.name}`);
    this.#canaries.set(canary.name, canary);
  }
}

function told({ traces }: Canary): string {
  return traces.map(({ octets }) => octets.toString('hex')).join();
}

/** A key that belongs to no certificate. */
export function strayKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}
