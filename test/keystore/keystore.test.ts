import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isKeyturnError, type KeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { KeyStoreDriver, KeyStoreHealth } from '../../src/keystore/driver.ts';
import { KeyStore, type KeyStoreOptions } from '../../src/keystore/keystore.ts';
import { MemoryKeyStore } from '../conformance/broken-keystore.ts';

const NAME = 'versions/lean/sandbox/1';

function secret(text: string): SecretBytes {
  return SecretBytes.copyOf(Buffer.from(text));
}

function storeOver(change: Partial<KeyStoreDriver> = {}, options: KeyStoreOptions = {}): KeyStore {
  return new KeyStore('main', Object.assign(new MemoryKeyStore(), change), options);
}

/** A promise that a test resolves when it likes. */
function later<T>() {
  return Promise.withResolvers<T>();
}

describe('a key store', () => {
  it('writes and reads what it is given, and leaves the octets to the caller', async () => {
    const store = storeOver();
    using octets = secret('content');
    await store.write(NAME, octets);
    expect(octets.disposed).toBe(false);
    using found = await store.read(NAME);
    expect(found.equals(octets)).toBe(true);
    expect(await store.list()).toEqual([NAME]);
    await store.destroy(NAME);
    expect(await store.tryRead(NAME)).toBeNull();
    await expect(store.read(NAME)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses names that are none before it asks the driver', async () => {
    const driver = new MemoryKeyStore();
    await driver.close();
    const store = new KeyStore('main', driver);
    for (const name of ['', 'one', '../x/y', 'a//b', 'A/b', 'a/b\n', `a/${'b'.repeat(65)}`]) {
      for (const verb of [store.read(name), store.tryRead(name), store.destroy(name), store.write(name, secret('x'))]) {
        await expect(verb).rejects.toMatchObject({ code: 'invalid_input' });
      }
    }
  });

  it('refuses records of no octets and of more than 64 KiB', async () => {
    const store = storeOver();
    await expect(store.write(NAME, secret(''))).rejects.toMatchObject({ code: 'invalid_input' });
    const huge = SecretBytes.own(Buffer.alloc(65_537));
    await expect(store.write(NAME, huge)).rejects.toMatchObject({ code: 'payload_too_large' });
    await store.write(NAME, SecretBytes.own(Buffer.alloc(65_536)));
  });

  it('refuses what a driver returns when its length is impossible, and wipes it', async () => {
    for (const octets of [SecretBytes.own(Buffer.alloc(0)), SecretBytes.own(Buffer.alloc(65_537))]) {
      const store = storeOver({ read: async () => octets });
      await expect(store.read(NAME)).rejects.toMatchObject({ code: 'keystore_corrupt' });
      expect(octets.disposed).toBe(true);
    }
  });

  it('refuses a write that reads back as something else or as nothing, and wipes what it read', async () => {
    const wrong = secret('Content');
    for (const readBack of [null, wrong]) {
      const store = storeOver({ read: async () => readBack });
      await expect(store.write(NAME, secret('content'))).rejects.toMatchObject({ code: 'keystore_conflict' });
    }
    expect(wrong.disposed).toBe(true);
  });

  it('passes on what the driver says, and hides what others threw', async () => {
    const conflict = storeOver();
    await conflict.write(NAME, secret('one'));
    await expect(conflict.write(NAME, secret('two'))).rejects.toMatchObject({ code: 'keystore_conflict' });
    const leaky = storeOver({
      read: () => Promise.reject(Object.assign(new Error('token s.canary'), { config: { token: 's.canary' } })),
      list: () => {
        throw new Error('s.canary');
      },
    });
    for (const verb of [leaky.read(NAME), leaky.list()]) {
      const error: unknown = await verb.catch((reason: unknown) => reason);
      expect(isKeyturnError(error, 'keystore_unavailable')).toBe(true);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('canary');
    }
  });

  it('attests when its driver can, and says null when not', async () => {
    expect(await storeOver().attest()).toMatchObject({ generation: 1 });
    const memory = new MemoryKeyStore();
    const plain: KeyStoreDriver = {
      description: 'plain',
      write: (record, octets) => memory.write(record, octets),
      read: (record) => memory.read(record),
      list: () => memory.list(),
      destroy: (record) => memory.destroy(record),
      health: () => memory.health(),
      close: () => memory.close(),
    };
    expect(await new KeyStore('main', plain).attest()).toBeNull();
  });

  it('tells the observer of each verb, its outcome and its time', async () => {
    const seen: unknown[] = [];
    const store = storeOver({}, { observe: (verb, ok, seconds) => seen.push([verb, ok, seconds >= 0 && seconds < 5]) });
    await store.write(NAME, secret('one'));
    await store.write(NAME, secret('two')).catch(() => {});
    await store.tryRead(NAME);
    await store.list();
    await store.attest();
    await store.destroy(NAME);
    await store.read('nothing').catch(() => {});
    expect(seen).toEqual([
      ['write', true, true],
      ['write', false, true],
      ['read', true, true],
      ['list', true, true],
      ['attest', true, true],
      ['destroy', true, true],
      ['read', false, true],
    ]);
  });
});

describe('a key store whose driver hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ends every verb after ten seconds as unavailable', async () => {
    const never = () => new Promise<never>(() => {});
    const store = storeOver({ write: never, read: never, list: never, destroy: never, health: never });
    const verbs = [store.write(NAME, secret('x')), store.read(NAME), store.list(), store.destroy(NAME)];
    const codes = Promise.all(verbs.map((verb) => verb.catch((error: KeyturnError) => error.code)));
    const health = store.health();
    let settled = 0;
    for (const verb of verbs) verb.catch(() => settled++);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(settled).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(await codes).toEqual(verbs.map(() => 'keystore_unavailable'));
    expect(await health).toMatchObject({ ready: false });
  });

  it('tells whoever can’t wait what it said last, for a minute, and then that it does not answer', async () => {
    let answer: () => Promise<KeyStoreHealth> = async () => ({ ready: true, detail: '' });
    const store = storeOver({ health: () => answer() });
    expect(await store.health()).toEqual({ ready: true, detail: '' });
    answer = () => new Promise((resolve) => setTimeout(resolve, 5_000, { ready: false, detail: 'down' }));
    const soon = store.healthWithin(1_000, 0, true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await soon).toEqual({ ready: true, detail: '' });
    await vi.advanceTimersByTimeAsync(4_000);
    const next = store.healthWithin(1_000, 0, true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await next).toEqual({ ready: false, detail: 'down' });
    answer = async () => ({ ready: true, detail: '' });
    await vi.advanceTimersByTimeAsync(4_000);
    await store.health();
    answer = () => new Promise(() => {});
    await vi.advanceTimersByTimeAsync(60_001);
    const late = store.healthWithin(1_000, 0, true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await late).toMatchObject({ ready: false, detail: expect.stringContaining('does not answer') });
  });

  it('tells whoever does not take its last word that it does not answer', async () => {
    let answer: () => Promise<KeyStoreHealth> = async () => ({ ready: true, detail: '' });
    const store = storeOver({ health: () => answer() });
    await store.health();
    answer = () => new Promise(() => {});
    const soon = store.healthWithin(1_000, 0, false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await soon).toMatchObject({ ready: false });
  });

  it('tells at once what it says at once, also to whoever can’t wait', async () => {
    expect(await storeOver().healthWithin(1_000, 0, true)).toEqual({ ready: true, detail: '' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('wipes a secret that comes too late', async () => {
    const { promise, resolve } = later<SecretBytes | null>();
    const store = storeOver({ read: () => promise }, { timeoutMs: 50 });
    const read = store.read(NAME).catch((error: KeyturnError) => error.code);
    await vi.advanceTimersByTimeAsync(50);
    expect(await read).toBe('keystore_unavailable');
    const late = secret('content');
    resolve(late);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.disposed).toBe(true);
  });

  it('keeps the octets of a write for the driver alone, until the driver is done', async () => {
    const { promise, resolve } = later<void>();
    const held: SecretBytes[] = [];
    const write = (_record: string, octets: SecretBytes) => {
      held.push(octets);
      return promise;
    };
    const store = storeOver({ write }, { timeoutMs: 50 });
    const octets = secret('content');
    const written = store.write(NAME, octets).catch((error: KeyturnError) => error.code);
    await vi.advanceTimersByTimeAsync(50);
    expect(await written).toBe('keystore_unavailable');
    octets.dispose();
    expect(held[0]?.bytes.toString()).toBe('content');
    resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(held[0]?.disposed).toBe(true);
  });

  it('leaves no timer behind when it answers in time', async () => {
    const store = storeOver();
    await store.write(NAME, secret('content'));
    await store.list();
    await store.health();
    expect(vi.getTimerCount()).toBe(0);
  });
});
