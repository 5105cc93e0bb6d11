import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { plain, temporaryStore } from '../temporary-store.ts';
import { contentOf } from './content.ts';
import { StoreProcess } from './disturbed-store.ts';

const ROUNDS = 40;

/** What the store may hold after a process died: a name in neither set must be absent. */
class Expected {
  readonly present = new Set<string>();
  readonly open = new Set<string>();

  hear(line: string): void {
    const [when, verb, name] = line.split(' ') as [string, string, string];
    if (verb === 'rotate') return;
    this.present.delete(name);
    this.open.delete(name);
    if (when === 'begin') this.open.add(name);
    else if (verb === 'write') this.present.add(name);
  }

  /** After a look at the store, what was open is known. */
  settle(found: readonly string[]): void {
    for (const name of this.open) if (found.includes(name)) this.present.add(name);
    this.open.clear();
  }
}

it(`a store whose process is killed ${ROUNDS} times at random moments keeps every acknowledged change, whole`, {
  timeout: 120_000,
}, async () => {
  const place = await temporaryStore();
  const master = join(place.folder, '..', 'master.key');
  const expected = new Expected();
  let interrupted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const child = await StoreProcess.start(place.path, master);
    child.process.stdin.write(`storm ${round}/x\n`);
    const killed = delay(randomInt(1, 60)).then(() => child.kill());
    for (let line = await child.line(); line !== 'ended'; line = await child.line()) expected.hear(line);
    await killed;
    interrupted += expected.open.size;

    const store = await openFileStore(place);
    try {
      const found = await store.list();
      for (const name of expected.present) expect(found, `${name} was acknowledged`).toContain(name);
      for (const name of found) {
        expect(expected.present.has(name) || expected.open.has(name), `${name} was destroyed or never asked for`).toBe(
          true,
        );
        expect((await plain(store, name))!.equals(contentOf(name)), `content of ${name}`).toBe(true);
      }
      expected.settle(found);
      for (const name of found) await store.destroy(name);
      expected.present.clear();
    } finally {
      await store.close();
    }
    expect(readdirSync(place.folder).sort()).toEqual(['keys.ktn', 'keys.ktn.lock']);
  }
  // The kills did hit changes under way, or this shows nothing.
  expect(interrupted).toBeGreaterThan(ROUNDS / 4);
});
