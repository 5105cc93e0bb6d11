import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeyturnError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import { keyStoreAdapters } from '../../../src/keystore/registry.ts';
import { Searcher, told } from '../../e2e/canary/search/searcher.ts';
import { octetsCanary } from '../../e2e/canary/search/secrets.ts';
import { MemoryKeyStore } from '../broken-keystore.ts';
import { CANARY, STANDING, storeHere, type Verb } from './cell.ts';
import { faultHarnesses } from './harnesses.ts';
import { brokenPromise, heldBy } from './held.ts';
import { page, summary } from './page.ts';
import { HEALTHY, NETWORK_VERBS } from './rows.ts';
import { running } from './run.ts';
import { NETWORK_FAULTS } from './table.ts';

describe('the fault table', () => {
  it('has a harness for every key store adapter that the registry knows', () => {
    expect(Object.keys(faultHarnesses).sort()).toEqual(Object.keys(keyStoreAdapters).sort());
  });

  it('is run on every adapter that the registry knows, by one test file each', () => {
    const files = globSync('*.test.ts', { cwd: import.meta.dirname });
    const texts = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
    const described = texts.flatMap((text) =>
      [...text.matchAll(/^describeFaults\('(\w+)'\)/gm)].map(([, kind = '']) => kind),
    );
    expect(described.toSorted((a, b) => a.localeCompare(b))).toEqual(Object.keys(keyStoreAdapters).sort());
  });

  for (const [kind, { network, expected, impossible, verbs }] of Object.entries(faultHarnesses)) {
    it(`has an outcome in every cell of ${kind}`, () => {
      for (const [name, row] of Object.entries(expected)) {
        expect([name, ...Object.keys(row).sort()]).toEqual([name, ...[...verbs].sort()]);
      }
    });

    if (!network) continue;
    it(`has every bad day of a store behind a network for ${kind}, or says why it can't come`, () => {
      const planted = NETWORK_FAULTS.filter((name) => expected[name] !== undefined);
      expect([...planted, ...Object.keys(impossible)].sort()).toEqual([...NETWORK_FAULTS].sort());
    });
  }

  it('shows each cell on its page', () => {
    const part = {
      kind: 'memory',
      network: true,
      verbs: NETWORK_VERBS,
      rows: { 'no fault': HEALTHY },
      impossible: { sealed: 'it has no seal' },
      seconds: 1.25,
      at: '2026-01-01T00:00:00.000Z',
    };
    expect(summary(part)).toBe('memory: 1 faults, 5 cells as expected, 1.3 s');
    const text = page([part]);
    expect(text).toContain('| no fault | done → 1+2 | done → 1 | done: 1 → 1 | done → nothing | ready → 1 |');
    expect(text).toContain("| sealed | can't be: it has no seal |");
  });
});

describe('the promise over every cell', () => {
  const cases: [Verb, string, string[], string[], boolean][] = [
    ['write', 'done', ['1'], ['1', '2'], true],
    ['write', 'done', ['1'], ['1'], false],
    ['write', 'keystore_unavailable (lost), ambiguous', ['1'], ['1'], true],
    ['write', 'keystore_unavailable (lost), ambiguous', ['1'], ['1', '2'], true],
    ['write', 'keystore_unavailable (lost), ambiguous', ['1'], ['2'], false],
    ['write', 'keystore_unavailable (lost), ambiguous', ['1'], ['1', '2!'], false],
    ['write', 'keystore_unavailable (lost), ambiguous', ['1'], ['1!'], false],
    ['write', 'keystore_unavailable (sealed), certain', ['1'], ['1', '2'], false],
    ['write', 'keystore_conflict', ['1', '2!'], ['1', '2!'], true],
    ['write', 'keystore_conflict', ['1', '2!'], ['1', '2'], false],
    ['destroy', 'done', ['1'], ['1'], false],
    ['destroy', 'keystore_unavailable (lost), ambiguous', ['1'], [], true],
    ['destroy', 'keystore_unavailable (sealed), certain', ['1'], [], false],
    ['destroy', 'an error that is not ours', ['1'], [], false],
    ['read', 'keystore_unavailable (lost)', ['1'], [], false],
    ['list', 'done: 1', ['1'], ['1', '2'], false],
    ['health', 'ready', ['1'], ['1'], true],
  ];
  it.each(cases)('%s that said "%s" may find %s and leave %s: %s', (verb, outcome, before, after, kept) => {
    expect(brokenPromise(verb, outcome, before, after) === null).toBe(kept);
  });
});

/** A store in memory whose answers are lost, and what else it does wrong then. */
class LosingStore extends MemoryKeyStore {
  readonly #more: (store: MemoryKeyStore) => Promise<void>;

  constructor(more: (store: MemoryKeyStore) => Promise<void>) {
    super();
    this.#more = more;
  }

  override async destroy(): Promise<void> {
    await this.#more(this);
    throw new KeyturnError('keystore_unavailable', 'The answer is lost.', { facts: { reason: 'lost' } });
  }
}

async function runOn(store: MemoryKeyStore, disturbed: KeyStoreDriver = store) {
  const bench = running({
    faults: { lost: { open: () => storeHere(async () => disturbed, 1_000) } },
    canaries: [],
    prepare: async () => {
      using octets = SecretBytes.copyOf(CANARY);
      await store.write(STANDING, octets);
      return null;
    },
    held: () => heldBy(new MemoryKeyStore(store)),
    settled: (outcome: string) => outcome,
    broken: () => [],
    stop: async () => {},
  });
  return bench.run('lost', ['destroy']);
}

describe('the runner', () => {
  it('takes a store whose answer is lost, whether it did what was asked or not', async () => {
    for (const more of [
      async () => {},
      (store: MemoryKeyStore) => MemoryKeyStore.prototype.destroy.call(store, STANDING),
    ]) {
      const { row, brokenPromises } = await runOn(new LosingStore(more));
      expect(row.destroy).toContain('keystore_unavailable (lost), ambiguous → ');
      expect(brokenPromises).toEqual([]);
    }
  });

  it('finds a store that writes on a doubtful answer', async () => {
    const { brokenPromises } = await runOn(
      new LosingStore((store) => store.write('versions/fault/cell/2', SecretBytes.copyOf(CANARY))),
    );
    expect(brokenPromises).toHaveLength(1);
  });

  it('finds octets of a record in an error and its causes', async () => {
    const searcher = new Searcher([octetsCanary('record', CANARY)]);
    const leaks = [
      () => new KeyturnError('keystore_unavailable', CANARY.toString('base64')),
      () => new KeyturnError('keystore_unavailable', 'lost', { cause: { sent: CANARY } }),
    ];
    for (const leak of leaks) {
      const store = new LosingStore(async () => {
        throw leak();
      });
      expect(told(searcher.find((await runOn(store)).said))).not.toEqual([]);
    }
  });

  it('fails for a fault that nobody has planted', async () => {
    const bench = running({
      faults: {},
      canaries: [],
      prepare: async () => null,
      held: async () => [],
      settled: (outcome: string) => outcome,
      broken: () => [],
      stop: async () => {},
    });
    await expect(bench.run('none', ['read'])).rejects.toThrow('There is no fault none.');
  });
});
