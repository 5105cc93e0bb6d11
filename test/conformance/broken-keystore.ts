import { createHash } from 'node:crypto';
import { KeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { Attesting, KeyStoreDriver, KeyStoreHealth } from '../../src/keystore/driver.ts';
import type { KeyStorePlace } from './keystore.ts';

/** A key store in memory that keeps every promise of the port, for faults to be planted into. */
export class MemoryKeyStore implements KeyStoreDriver, Attesting {
  readonly records: Map<string, Buffer>;
  generation: number;
  closed = false;

  constructor(before?: MemoryKeyStore) {
    this.records = before?.records ?? new Map();
    this.generation = before?.generation ?? 1;
  }

  get description(): string {
    return 'memory';
  }

  async write(record: string, octets: SecretBytes): Promise<void> {
    this.assertOpen();
    const standing = this.records.get(record);
    if (standing?.equals(octets.bytes) === true) return;
    if (standing !== undefined) throw new KeyturnError('keystore_conflict', 'It stands there with other octets.');
    this.records.set(record, Buffer.from(octets.bytes));
    this.generation++;
  }

  async read(record: string): Promise<SecretBytes | null> {
    this.assertOpen();
    const octets = this.records.get(record);
    return octets === undefined ? null : SecretBytes.copyOf(octets);
  }

  async list(): Promise<string[]> {
    this.assertOpen();
    return [...this.records.keys()];
  }

  async destroy(record: string): Promise<void> {
    this.assertOpen();
    if (this.records.delete(record)) this.generation++;
  }

  async health(): Promise<KeyStoreHealth> {
    return this.closed ? { ready: false, detail: 'closed' } : { ready: true, detail: '' };
  }

  async attest(without: readonly string[] = []) {
    const hash = createHash('sha256');
    for (const [name, octets] of [...this.records].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!without.includes(name)) hash.update(`${name}:${octets.toString('hex')};`);
    }
    return { generation: this.generation, digest: hash.digest('hex') };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  assertOpen(): void {
    if (this.closed) throw new KeyturnError('keystore_unavailable', 'It is closed.');
  }
}

export type MemoryKeyStoreClass = new (before?: MemoryKeyStore) => MemoryKeyStore;

export function memoryPlace(Store: MemoryKeyStoreClass): () => Promise<KeyStorePlace> {
  return async () => {
    let driver = new Store();
    return {
      driver,
      reopen: async () => {
        await driver.close();
        driver = new Store(driver);
        return driver;
      },
      remove: () => driver.close(),
    };
  };
}

/** Faults of drivers, each of which the conformance suite must find. */
export const brokenKeyStores: Readonly<Record<string, MemoryKeyStoreClass>> = {
  'overwrites a record': class extends MemoryKeyStore {
    override async write(record: string, octets: SecretBytes): Promise<void> {
      this.records.delete(record);
      await super.write(record, octets);
    }
  },
  'refuses the same octets again': class extends MemoryKeyStore {
    override async write(record: string, octets: SecretBytes): Promise<void> {
      if (this.records.has(record)) throw new KeyturnError('keystore_conflict', 'It stands there.');
      await super.write(record, octets);
    }
  },
  'checks before it waits': class extends MemoryKeyStore {
    override async write(record: string, octets: SecretBytes): Promise<void> {
      const absent = !this.records.has(record);
      await Promise.resolve();
      if (absent) this.records.set(record, Buffer.from(octets.bytes));
      else await super.write(record, octets);
    }
  },
  'keeps the octets of the writer': class extends MemoryKeyStore {
    override async write(record: string, octets: SecretBytes): Promise<void> {
      await super.write(record, octets);
      this.records.set(record, octets.bytes);
    }
  },
  'wipes the octets of the writer': class extends MemoryKeyStore {
    override async write(record: string, octets: SecretBytes): Promise<void> {
      await super.write(record, octets);
      octets.dispose();
    }
  },
  'gives all readers the same octets': class extends MemoryKeyStore {
    override async read(record: string): Promise<SecretBytes | null> {
      const octets = this.records.get(record);
      return octets === undefined ? null : SecretBytes.own(octets);
    }
  },
  'goes through a string': class extends MemoryKeyStore {
    override async read(record: string): Promise<SecretBytes | null> {
      const octets = this.records.get(record);
      return octets === undefined ? null : SecretBytes.copyOf(Buffer.from(octets.toString()));
    }
  },
  'gives empty octets for nothing': class extends MemoryKeyStore {
    override async read(record: string): Promise<SecretBytes | null> {
      return (await super.read(record)) ?? SecretBytes.copyOf(Buffer.alloc(0));
    }
  },
  'destroys by prefix': class extends MemoryKeyStore {
    override async destroy(record: string): Promise<void> {
      for (const name of this.records.keys()) if (name.startsWith(record)) await super.destroy(name);
    }
  },
  'hides instead of destroying': class extends MemoryKeyStore {
    readonly hidden = new Set<string>();
    override async destroy(record: string): Promise<void> {
      this.hidden.add(record);
    }
    override async read(record: string): Promise<SecretBytes | null> {
      return this.hidden.has(record) ? null : super.read(record);
    }
    override async list(): Promise<string[]> {
      return (await super.list()).filter((name) => !this.hidden.has(name));
    }
  },
  'rejects the destruction of nothing': class extends MemoryKeyStore {
    override async destroy(record: string): Promise<void> {
      if (!this.records.has(record)) throw new KeyturnError('not_found', 'There is none.');
      await super.destroy(record);
    }
  },
  'forgets at a restart': class extends MemoryKeyStore {
    constructor(_before?: MemoryKeyStore) {
      super();
    }
  },
  'lists a page': class extends MemoryKeyStore {
    override async list(): Promise<string[]> {
      return (await super.list()).slice(0, 10);
    }
  },
  'lists what was destroyed': class extends MemoryKeyStore {
    readonly names = new Set<string>();
    override async write(record: string, octets: SecretBytes): Promise<void> {
      await super.write(record, octets);
      this.names.add(record);
    }
    override async list(): Promise<string[]> {
      return this.closed ? super.list() : [...this.names];
    }
  },
  'describes its content': class extends MemoryKeyStore {
    override get description(): string {
      return `memory ${[...this.records.values()].join()}`;
    }
  },
  'says that it is ready when closed': class extends MemoryKeyStore {
    override async health(): Promise<KeyStoreHealth> {
      return { ready: true, detail: '' };
    }
  },
  'answers when closed': class extends MemoryKeyStore {
    override assertOpen(): void {}
  },
  'attests to names alone': class extends MemoryKeyStore {
    override async attest(without: readonly string[] = []) {
      const names = [...this.records.keys()].filter((name) => !without.includes(name)).sort();
      return { generation: this.generation, digest: createHash('sha256').update(names.join()).digest('hex') };
    }
  },
  'attests without binding content to names': class extends MemoryKeyStore {
    override async attest(without: readonly string[] = []) {
      const entries = [...this.records].filter(([name]) => !without.includes(name));
      const all = [...entries.map(([name]) => name), ...entries.map(([, octets]) => octets.toString('hex'))].sort();
      return { generation: this.generation, digest: createHash('sha256').update(all.join()).digest('hex') };
    }
  },
  'attests in the order of writing': class extends MemoryKeyStore {
    override async attest(without: readonly string[] = []) {
      const entries = [...this.records].filter(([name]) => !without.includes(name));
      const text = entries.map(([name, octets]) => `${name}:${octets.toString('hex')}`).join();
      return { generation: this.generation, digest: createHash('sha256').update(text).digest('hex') };
    }
  },
  'attests to what it should leave out': class extends MemoryKeyStore {
    override async attest() {
      return super.attest();
    }
  },
  'counts what changes nothing': class extends MemoryKeyStore {
    override async destroy(record: string): Promise<void> {
      await super.destroy(record);
      this.generation++;
    }
  },
  'counts from one after a restart': class extends MemoryKeyStore {
    constructor(before?: MemoryKeyStore) {
      super(before);
      this.generation = 1;
    }
  },
};
