import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import { ServerLog } from '../../../src/server/log/server-log.ts';
import { Metrics } from '../../../src/server/metrics.ts';
import { everythingOf } from '../../e2e/canary/search/everything.ts';

/** Verbs that every adapter has, and `attest`, which some have. */
export const VERBS = ['write', 'read', 'list', 'destroy', 'attest', 'health'] as const;
export type Verb = (typeof VERBS)[number];

/** Before each cell this record stands; `write` makes the other, `read` and `destroy` mean this. */
export const STANDING = 'versions/fault/cell/1';
export const WRITTEN = 'versions/fault/cell/2';

/** What every record holds: octets that must show nowhere. */
export const CANARY = Buffer.from('canary-octets-9f86d081884c7d659a2f');

export interface CellResult {
  /**
   * `done`, with a number where the verb counts; of an error its code, its reason, and of a change whether it
   * certainly did not happen; for health `ready`, or why it is not.
   */
  readonly outcome: string;
  /** All that could be written of it: the error, the store, a line of the server's log, the metrics. */
  readonly said: Buffer;
}

/** A store with a fault around it, which is asked one verb, or a few. */
export interface StoreUnderFault {
  run(verb: Verb): Promise<CellResult>;
  close(): Promise<void>;
}

/** The store as its users hold it, opened when it is first asked. */
export function storeHere(open: () => Promise<KeyStoreDriver>, timeoutMs: number): StoreUnderFault {
  let driver: Promise<KeyStoreDriver> | null = null;
  return {
    run: async (verb) => {
      driver ??= open();
      const opened = await driver.catch((error: unknown) => ({ error }));
      if (!('error' in opened)) return runVerb(verb, opened, timeoutMs);
      return { outcome: `not opened: ${outcomeOf('read', opened.error)}`, said: everythingOf(opened.error) };
    },
    close: async () => (await driver?.catch(() => null))?.close(),
  };
}

async function runVerb(verb: Verb, driver: KeyStoreDriver, timeoutMs: number): Promise<CellResult> {
  const metrics = new Metrics();
  const store = new KeyStore('faulty', driver, {
    timeoutMs,
    observe: (asked, ok, seconds) =>
      metrics.storeSeconds.observe({ store: 'faulty', verb: asked, result: ok ? 'ok' : 'error' }, seconds),
  });
  const logged: Buffer[] = [];
  const destination = new Writable({
    write: (line: Buffer, _, done) => {
      logged.push(line);
      done();
    },
  });
  const { outcome, error } = await attempt(verb, store);
  new ServerLog({ destination }).fault('cell', error);
  const seen = inspect(driver, { depth: 8, showHidden: true });
  const texts = [outcome, driver.description, seen, await metrics.registry.metrics()];
  return { outcome, said: Buffer.concat([Buffer.from(texts.join('\n')), ...logged, everythingOf(error)]) };
}

async function attempt(verb: Verb, store: KeyStore): Promise<{ outcome: string; error: unknown }> {
  try {
    return { outcome: await ask(verb, store), error: null };
  } catch (error) {
    return { outcome: outcomeOf(verb, error), error };
  }
}

function outcomeOf(verb: Verb, error: unknown): string {
  if (!isKeyturnError(error)) return 'an error that is not ours';
  const { reason, errno, certain } = error.facts;
  const why = reason ?? errno;
  const named = why === undefined ? error.code : `${error.code} (${why})`;
  if (error.code !== 'keystore_unavailable' || (verb !== 'write' && verb !== 'destroy')) return named;
  return `${named}, ${certain === true ? 'certain' : 'ambiguous'}`;
}

async function ask(verb: Verb, store: KeyStore): Promise<string> {
  if (verb === 'health') {
    const { ready, detail } = await store.health();
    return ready ? 'ready' : `not ready: ${detail}`;
  }
  if (verb === 'list') return `done: ${(await store.list()).length}`;
  if (verb === 'attest') return `done: generation ${(await store.attest())?.generation}`;
  if (verb === 'destroy') await store.destroy(STANDING);
  if (verb === 'write') {
    using octets = SecretBytes.copyOf(CANARY);
    await store.write(WRITTEN, octets);
  }
  if (verb === 'read') {
    using octets = await store.tryRead(STANDING);
    if (octets === null) return 'absent';
    if (!octets.bytes.equals(CANARY)) return 'other octets';
  }
  return 'done';
}
