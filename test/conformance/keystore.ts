import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { isKeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { isAttesting, type KeyStoreDriver } from '../../src/keystore/driver.ts';

/** An empty store, real, that one conformance case has for itself. */
export interface KeyStorePlace {
  readonly driver: KeyStoreDriver;
  /** Closes the driver and opens the same store again, as after a restart. */
  reopen(): Promise<KeyStoreDriver>;
  /** Closes and removes everything. */
  remove(): Promise<void>;
}

/** What the suite needs of an adapter. */
export interface KeyStoreHarness {
  /** Starts the server that all places of a run share. */
  readonly start?: () => Promise<AsyncDisposable>;
  readonly makePlace: () => Promise<KeyStorePlace>;
  /** Cases that this adapter can't keep, each with the reason. It must then really fail them. */
  readonly exceptions: Partial<Record<KeyStoreCase, string>>;
}

const NAME = 'versions/lean/sandbox/1';

async function put(driver: KeyStoreDriver, name: string, octets: Uint8Array): Promise<void> {
  using secret = SecretBytes.copyOf(octets);
  await driver.write(name, secret);
}

async function get(driver: KeyStoreDriver, name: string): Promise<Buffer | null> {
  using secret = await driver.read(name);
  return secret === null ? null : Buffer.from(secret.bytes);
}

async function attested(driver: KeyStoreDriver, without?: readonly string[]) {
  assert.ok(isAttesting(driver), 'the driver does not attest');
  return driver.attest(without);
}

/** What every adapter of a key store does. A case rejects when the driver does not. */
export const keyStoreCases = {
  'gives back the octets that were written': async ({ driver }) => {
    for (const [name, octets] of [
      [NAME, randomBytes(1200)],
      ['companions/lean/sandbox/lean-app-token/1', Buffer.from('é\0\r\n"\\')],
      ['system/log/1', Buffer.alloc(32)],
    ] as const) {
      await put(driver, name, octets);
      assert.deepEqual(await get(driver, name), octets);
    }
  },

  'keeps every octet value, and records of one octet and of 64 KiB': async ({ driver }) => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
    for (const [index, octets] of [all, Buffer.alloc(1), Buffer.alloc(65_536, 0xa5)].entries()) {
      await put(driver, `versions/a/b/${index}`, octets);
      assert.deepEqual(await get(driver, `versions/a/b/${index}`), octets);
    }
  },

  'takes the longest names': async ({ driver }) => {
    const long = `${'a'.repeat(64)}/${'b'.repeat(64)}/${'c'.repeat(64)}/x.y`;
    await put(driver, long, Buffer.from('x'));
    assert.deepEqual(await get(driver, long), Buffer.from('x'));
    assert.deepEqual(await driver.list(), [long]);
  },

  'says null for a record that is not there, also beside similar names': async ({ driver }) => {
    assert.equal(await get(driver, NAME), null);
    await put(driver, NAME, Buffer.from('x'));
    for (const name of [`${NAME}0`, `${NAME}/1`, 'versions/lean/sandbox', 'versions/lean/sandbox/2']) {
      assert.equal(await get(driver, name), null);
    }
  },

  'gives each reader octets of its own': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('content'));
    const first = await driver.read(NAME);
    const second = await driver.read(NAME);
    assert.ok(first !== null && second !== null);
    first.dispose();
    assert.equal(second.bytes.toString(), 'content');
    second.dispose();
    assert.deepEqual(await get(driver, NAME), Buffer.from('content'));
  },

  'leaves the octets to the writer, and depends on them no more': async ({ driver }) => {
    const octets = SecretBytes.copyOf(Buffer.from('content'));
    await driver.write(NAME, octets);
    assert.equal(octets.disposed, false);
    octets.dispose();
    assert.deepEqual(await get(driver, NAME), Buffer.from('content'));
  },

  'resolves a second write of the same octets': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('content'));
    await put(driver, NAME, Buffer.from('content'));
    assert.deepEqual(await driver.list(), [NAME]);
  },

  'refuses a second write of other octets and keeps the first': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('content'));
    for (const other of ['Content', 'content ', 'c']) {
      const code = await put(driver, NAME, Buffer.from(other)).then(
        () => 'written',
        (error: unknown) => (isKeyturnError(error) ? error.code : 'not ours'),
      );
      assert.equal(code, 'keystore_conflict');
    }
    assert.deepEqual(await get(driver, NAME), Buffer.from('content'));
  },

  'lets one of many writers of one name win': async ({ driver }) => {
    const contents = Array.from({ length: 8 }, (_, index) => Buffer.from(`content ${index}`));
    const results = await Promise.allSettled(contents.map((octets) => put(driver, NAME, octets)));
    const winners = contents.filter((_, index) => results[index]?.status === 'fulfilled');
    assert.equal(winners.length, 1);
    assert.deepEqual(await get(driver, NAME), winners[0]);
  },

  'keeps all of many records written at once': async ({ driver }) => {
    const names = Array.from({ length: 20 }, (_, index) => `versions/a/b/${index}`);
    await Promise.all(names.map((name) => put(driver, name, Buffer.from(name))));
    assert.deepEqual((await driver.list()).sort(), names.sort());
    for (const name of names) assert.deepEqual(await get(driver, name), Buffer.from(name));
  },

  'lists exactly the names that are there': async ({ driver }) => {
    assert.deepEqual(await driver.list(), []);
    await put(driver, NAME, Buffer.from('x'));
    await put(driver, 'system/log/1', Buffer.from('y'));
    assert.deepEqual((await driver.list()).sort(), ['system/log/1', NAME]);
    await driver.destroy(NAME);
    assert.deepEqual(await driver.list(), ['system/log/1']);
  },

  'destroys one record for good, and no other': async (place) => {
    const neighbour = `${NAME}0`;
    await put(place.driver, NAME, Buffer.from('x'));
    await put(place.driver, neighbour, Buffer.from('y'));
    await place.driver.destroy(NAME);
    assert.equal(await get(place.driver, NAME), null);
    const again = await place.reopen();
    assert.equal(await get(again, NAME), null);
    assert.deepEqual(await get(again, neighbour), Buffer.from('y'));
  },

  'resolves the destruction of what is not there': async ({ driver }) => {
    await driver.destroy(NAME);
    await put(driver, NAME, Buffer.from('x'));
    await driver.destroy(NAME);
    await driver.destroy(NAME);
  },

  'takes a name again after its record was destroyed': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('first'));
    await driver.destroy(NAME);
    await put(driver, NAME, Buffer.from('second'));
    assert.deepEqual(await get(driver, NAME), Buffer.from('second'));
  },

  'has after a restart what it had before': async (place) => {
    const octets = randomBytes(300);
    await put(place.driver, NAME, octets);
    const again = await place.reopen();
    assert.deepEqual(await get(again, NAME), octets);
    assert.deepEqual(await again.list(), [NAME]);
  },

  'is ready, and describes itself without its content': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('content-canary'));
    assert.deepEqual(await driver.health(), { ready: true, detail: '' });
    assert.match(driver.description, /^[\x20-\x7e]+$/);
    assert.doesNotMatch(driver.description, /canary/);
  },

  'is not ready once closed, and says so without throwing': async ({ driver }) => {
    await driver.close();
    const { ready, detail } = await driver.health();
    assert.equal(ready, false);
    assert.notEqual(detail, '');
  },

  'refuses as unavailable what is asked of it once closed': async ({ driver }) => {
    await put(driver, NAME, Buffer.from('x'));
    await driver.close();
    const verbs = [
      () => get(driver, NAME),
      () => driver.list(),
      () => driver.destroy(NAME),
      () => put(driver, 'a/b', Buffer.from('x')),
    ];
    for (const verb of verbs) {
      const code = await verb().then(
        () => 'answered',
        (error: unknown) => (isKeyturnError(error) ? error.code : 'not ours'),
      );
      assert.equal(code, 'keystore_unavailable');
    }
  },

  'attests to its content, whatever the order of writing': async ({ driver }) => {
    const empty = await attested(driver);
    assert.match(empty.digest, /^[0-9a-f]{64}$/);
    await put(driver, 'versions/a/b/1', Buffer.from('x'));
    const one = await attested(driver);
    await put(driver, 'versions/a/b/2', Buffer.from('y'));
    const two = await attested(driver);
    assert.equal(new Set([empty.digest, one.digest, two.digest]).size, 3);
    assert.deepEqual(await attested(driver, ['versions/a/b/2']), { ...two, digest: one.digest });
    await driver.destroy('versions/a/b/1');
    await put(driver, 'versions/a/b/1', Buffer.from('x'));
    assert.equal((await attested(driver)).digest, two.digest);
  },

  'attests to another digest when the same names hold other or exchanged content': async ({ driver }) => {
    const digests = new Set<string>();
    for (const [a, b] of ['xy', 'yx', 'xx', 'xz']) {
      await put(driver, 'versions/a/b/1', Buffer.from(a!));
      await put(driver, 'versions/a/b/2', Buffer.from(b!));
      digests.add((await attested(driver)).digest);
      await driver.destroy('versions/a/b/1');
      await driver.destroy('versions/a/b/2');
    }
    assert.equal(digests.size, 4);
  },

  'counts each change in its generation, and nothing else': async (place) => {
    const { generation } = await attested(place.driver);
    await put(place.driver, NAME, Buffer.from('x'));
    await put(place.driver, NAME, Buffer.from('x'));
    await get(place.driver, NAME);
    await place.driver.destroy('versions/a/b/none');
    assert.equal((await attested(place.driver)).generation, generation + 1);
    await place.driver.destroy(NAME);
    const before = await attested(place.driver);
    assert.equal(before.generation, generation + 2);
    assert.deepEqual(await attested(await place.reopen()), before);
  },
} as const satisfies Record<string, (place: KeyStorePlace) => Promise<void>>;

export type KeyStoreCase = keyof typeof keyStoreCases;

/** Runs one case in a place of its own. */
export async function runKeyStoreCase(name: KeyStoreCase, makePlace: () => Promise<KeyStorePlace>): Promise<void> {
  const place = await makePlace();
  try {
    await keyStoreCases[name](place);
  } finally {
    await place.remove();
  }
}
