import { inspect } from 'node:util';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { KeyStoreDriver } from '../../../../src/keystore/driver.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';

export const VERBS = ['write', 'read', 'list', 'destroy', 'health'] as const;
export type Verb = (typeof VERBS)[number];

/** Before each cell this record stands; `write` makes the other, `read` and `destroy` mean this. */
export const STANDING = 'versions/fault/cell/1';
export const WRITTEN = 'versions/fault/cell/2';

/** Octets that must show nowhere. */
export const CANARY = Buffer.from('canary-octets-9f86d081884c7d659a2f');

export interface CellResult {
  /** `done`, or code and reason of the error; for health `ready`, or why it is not. */
  readonly outcome: string;
  /** What the adapter said: messages, advice, inspections of the error and of itself. */
  readonly said: string;
}

/** One verb by a driver of its own, which is asked nothing before. */
export async function runCell(verb: Verb, options: VaultStoreOptions): Promise<CellResult> {
  const mirror: unknown[] = [];
  const driver = await keyStoreAdapters.vault({ ...options, onMirrorFailure: (_, error) => mirror.push(error) });
  try {
    const { outcome, said } = await attempt(verb, driver);
    const seen = inspect([driver, mirror], { depth: 8, showHidden: true });
    return { outcome, said: `${said}\n${seen}\n${driver.description}` };
  } finally {
    await driver.close();
  }
}

async function attempt(verb: Verb, driver: KeyStoreDriver): Promise<CellResult> {
  try {
    if (verb === 'health') {
      const { ready, detail } = await driver.health();
      return { outcome: ready ? 'ready' : `not ready: ${detail.split('. ')[0]}`, said: detail };
    }
    const answer = await ask(verb, driver);
    return { outcome: answer, said: '' };
  } catch (error) {
    if (!isKeyturnError(error)) return { outcome: 'an error that is not ours', said: inspect(error) };
    const said = [error.message, error.fix, inspect(error, { depth: 8, showHidden: true }), JSON.stringify(error)];
    const reason = error.facts['reason'] === undefined ? '' : ` (${error.facts['reason']})`;
    return { outcome: `${error.code}${reason}`, said: said.join('\n') };
  }
}

async function ask(verb: Exclude<Verb, 'health'>, driver: KeyStoreDriver): Promise<string> {
  if (verb === 'list') return `done: ${(await driver.list()).length}`;
  if (verb === 'destroy') await driver.destroy(STANDING);
  if (verb === 'write') {
    using octets = SecretBytes.copyOf(CANARY);
    await driver.write(WRITTEN, octets);
  }
  if (verb === 'read') {
    using octets = await driver.read(STANDING);
    if (octets === null) return 'null';
    if (!octets.bytes.equals(CANARY)) return 'other octets';
  }
  return 'done';
}

/** What the store holds after a cell, by a driver that nothing disturbs: record numbers, `!` for other octets. */
export async function truth(driver: KeyStoreDriver): Promise<string> {
  const found: string[] = [];
  for (const [number, name] of [
    ['1', STANDING],
    ['2', WRITTEN],
  ] as const) {
    using octets = await driver.read(name);
    if (octets !== null) found.push(octets.bytes.equals(CANARY) ? number : `${number}!`);
  }
  return found.join('+');
}
