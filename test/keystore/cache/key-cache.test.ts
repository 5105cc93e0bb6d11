import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KeyturnError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { KeyCache, type KeyCacheOptions } from '../../../src/keystore/cache/key-cache.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';

const RECORD = 'versions/lean/sandbox/1';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store elsewhere, and how often it was asked. */
function setUp(options: Partial<KeyCacheOptions> = {}) {
  const time = { ms: 0 };
  const driver = {
    asked: 0,
    answer: async (record: string): Promise<SecretBytes | null> => SecretBytes.copyOf(Buffer.from(`key of ${record}`)),
    delivered: [] as SecretBytes[],
    description: 'a driver of this test',
    read: async (record: string) => {
      driver.asked += 1;
      const octets = await driver.answer(record);
      if (octets !== null) driver.delivered.push(octets);
      return octets;
    },
    write: async () => {},
    list: async () => [],
    destroy: async () => {},
    health: async () => ({ ready: true, detail: '' }),
    close: async () => {},
  };
  const results: string[] = [];
  const cache = new KeyCache({
    stores: new Set(['vault']),
    seconds: 5,
    clock: { now: () => time.ms, monotonic: () => time.ms },
    observe: (result) => results.push(result),
    ...options,
  });
  const store = new KeyStore('vault', driver);
  const read = async (record = RECORD): Promise<string> => {
    using octets = await cache.read(store, record);
    return octets.bytes.toString();
  };
  const code = (): Promise<string> => read().then(String, (error: KeyturnError) => error.code);
  const pass = (ms: number): void => {
    time.ms += ms;
    vi.advanceTimersByTime(ms);
  };
  return { cache, driver, store, results, read, code, pass };
}

describe('the cache of key records', () => {
  it('asks the store once for as long as it keeps a record, and again afterwards', async () => {
    const { driver, read, pass, results } = setUp();
    expect(await read()).toBe(`key of ${RECORD}`);
    pass(4_999);
    expect(await read()).toBe(`key of ${RECORD}`);
    expect(driver.asked).toBe(1);
    pass(1);
    expect(await read()).toBe(`key of ${RECORD}`);
    expect(driver.asked).toBe(2);
    expect(results).toEqual(['miss', 'hit', 'miss']);
  });

  it('counts the time from before the store was asked', async () => {
    const { driver, read, pass } = setUp();
    const slow = Promise.withResolvers<void>();
    const { answer } = driver;
    driver.answer = async (record) => {
      await slow.promise;
      return answer(record);
    };
    const first = read();
    pass(4_000);
    slow.resolve();
    await first;
    pass(1_000);
    await read();
    expect(driver.asked).toBe(2);
  });

  it('serves what is fresh while the store is down, and no longer', async () => {
    const { driver, code, pass } = setUp();
    await code();
    driver.answer = () => Promise.reject(new Error('down'));
    pass(4_000);
    expect(await code()).toBe(`key of ${RECORD}`);
    pass(1_000);
    expect(await code()).toBe('keystore_unavailable');
  });

  it('keeps no failure and no absence', async () => {
    const { driver, code } = setUp();
    const { answer } = driver;
    driver.answer = () => Promise.reject(new Error('down'));
    expect(await code()).toBe('keystore_unavailable');
    driver.answer = async () => null;
    expect(await code()).toBe('not_found');
    driver.answer = answer;
    expect(await code()).toBe(`key of ${RECORD}`);
  });

  it('asks once for all who ask at a time, and gives each octets of their own; a failure is all of theirs', async () => {
    const { cache, driver, store, code } = setUp();
    const [one, two] = await Promise.all([cache.read(store, RECORD), cache.read(store, RECORD)]);
    expect(driver.asked).toBe(1);
    one.dispose();
    expect(two.bytes.toString()).toBe(`key of ${RECORD}`);
    cache.clear();
    driver.answer = () => Promise.reject(new Error('down'));
    expect(await Promise.all([code(), code()])).toEqual(['keystore_unavailable', 'keystore_unavailable']);
    expect(driver.asked).toBe(2);
  });

  it('keeps nothing that was asked for before it was cleared', async () => {
    const { cache, driver, read } = setUp();
    const slow = Promise.withResolvers<void>();
    const { answer } = driver;
    driver.answer = async (record) => {
      await slow.promise;
      return answer(record);
    };
    const first = read();
    cache.clear();
    const second = read();
    slow.resolve();
    await Promise.all([first, second]);
    expect(driver.asked).toBe(2);
    cache.clear();
    expect(cache.size).toBe(0);
    await read();
    expect(driver.asked).toBe(3);
  });

  it('does not keep an answer that comes after it was cleared, when nobody has asked since', async () => {
    const { cache, driver, read } = setUp();
    const slow = Promise.withResolvers<void>();
    const { answer } = driver;
    driver.answer = async (record) => {
      await slow.promise;
      return answer(record);
    };
    const first = read();
    cache.clear();
    slow.resolve();
    expect(await first).toBe(`key of ${RECORD}`);
    expect(cache.size).toBe(0);
    await read();
    expect(driver.asked).toBe(2);
  });

  it('lets go of what nobody asks for any more', async () => {
    const { cache, read, pass } = setUp();
    await read();
    pass(3_000);
    await read('versions/lean/sandbox/2');
    pass(2_000);
    expect(cache.size).toBe(1);
    pass(5_000);
    expect(cache.size).toBe(0);
  });

  it('is bounded in number and octets; the oldest goes first', async () => {
    const { cache, driver, read } = setUp({ maxRecords: 2 });
    for (const version of [1, 2, 3]) await read(`versions/lean/sandbox/${version}`);
    expect(cache.size).toBe(2);
    await read('versions/lean/sandbox/3');
    expect(driver.asked).toBe(3);
    await read('versions/lean/sandbox/1');
    expect(driver.asked).toBe(4);
    const small = setUp({ maxOctets: 50 });
    for (const version of [1, 2, 3]) await small.read(`versions/lean/sandbox/${version}`);
    expect(small.cache.size).toBe(1);
  });

  it('wipes what the store delivered, hit or miss', async () => {
    const { cache, driver, store, read } = setUp();
    await read();
    await read();
    expect(driver.delivered.map(({ disposed }) => disposed)).toEqual([true]);
    using octets = await cache.read(store, RECORD);
    expect(octets.bytes.toString()).toBe(`key of ${RECORD}`);
  });

  it('keeps nothing of stores that it was not told of', async () => {
    const { driver, read, results } = setUp({ stores: new Set() });
    await read();
    await read();
    expect(driver.asked).toBe(2);
    expect(results).toEqual([]);
  });
});

describe('records that are lent together', () => {
  const OTHER = 'companions/lean/sandbox/token/1';

  function together(options: Partial<KeyCacheOptions> = {}) {
    const set = setUp(options);
    const wanted = [RECORD, OTHER].map((record) => ({ store: set.store, record }));
    const keep = async (): Promise<void> => {
      const octets = [await set.cache.read(set.store, RECORD), await set.cache.read(set.store, OTHER)];
      set.cache.keepTogether(wanted, octets);
      for (const each of octets) each.dispose();
    };
    const read = (order = wanted): string[] | null =>
      set.cache
        .kept(order)
        ?.opened()
        .map(({ bytes }) => bytes.toString()) ?? null;
    return { ...set, wanted, keep, readAll: read };
  }

  it('are read as one, again and again, each a hit', async () => {
    const { keep, readAll, driver, results } = together();
    expect(readAll()).toBeNull();
    await keep();
    const both = [`key of ${RECORD}`, `key of ${OTHER}`];
    expect([readAll(), readAll()]).toEqual([both, both]);
    expect(driver.asked).toBe(2);
    expect(results).toEqual(['miss', 'miss', 'hit', 'hit', 'hit', 'hit']);
  });

  it('are not taken for the same in another order, for others or for none; each is there by itself as well', async () => {
    const { keep, readAll, wanted } = together();
    await keep();
    expect([readAll(wanted.toReversed()), readAll([...wanted, ...wanted]), readAll([])]).toEqual([null, null, null]);
    expect(wanted.map((one) => readAll([one]))).toEqual([[`key of ${RECORD}`], [`key of ${OTHER}`]]);
  });

  it('are opened once for all who use them in one turn of the event loop, and wiped before the next', async () => {
    const { cache, keep, wanted } = together();
    await keep();
    const kept = cache.kept(wanted);
    const first = kept?.opened() ?? [];
    expect(cache.kept(wanted)?.opened()).toBe(first);
    await Promise.resolve();
    expect(kept?.opened()).toBe(first);
    await new Promise<void>((resolve) => {
      process.nextTick(resolve);
    });
    expect(first.map(({ disposed }) => disposed)).toEqual([true, true]);
    expect(kept?.opened().map(({ bytes }) => bytes.toString())).toEqual([`key of ${RECORD}`, `key of ${OTHER}`]);
  });

  it('can still be opened by whoever holds them when they are kept no longer', async () => {
    const { cache, keep, wanted, readAll } = together();
    await keep();
    const kept = cache.kept(wanted);
    cache.clear();
    expect(readAll()).toBeNull();
    expect(kept?.opened().map(({ bytes }) => bytes.toString())).toEqual([`key of ${RECORD}`, `key of ${OTHER}`]);
  });

  it('are kept no longer than the one that was read first', async () => {
    const { cache, store, keep, readAll, pass } = together();
    (await cache.read(store, RECORD)).dispose();
    pass(3_000);
    await keep();
    pass(1_999);
    expect(readAll()).not.toBeNull();
    pass(1);
    expect(readAll()).toBeNull();
  });

  it('are forgotten with all else, and not kept when one of them was forgotten meanwhile', async () => {
    const { cache, store, keep, readAll, wanted } = together();
    await keep();
    cache.clear();
    expect(readAll()).toBeNull();
    const octets = [await cache.read(store, RECORD), await cache.read(store, OTHER)];
    cache.clear();
    (await cache.read(store, RECORD)).dispose();
    cache.keepTogether(wanted, octets);
    expect(readAll()).toBeNull();
  });

  it('count towards what may be kept, once', async () => {
    const { cache, keep, readAll } = together({ maxRecords: 3 });
    await keep();
    await keep();
    expect(cache.size).toBe(3);
    expect(readAll()).not.toBeNull();
  });

  it('are not kept of a store whose records are not', async () => {
    const { keep, readAll } = together({ stores: new Set() });
    await keep();
    expect(readAll()).toBeNull();
  });
});
