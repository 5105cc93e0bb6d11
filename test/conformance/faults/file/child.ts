/**
 * A process of its own that asks stores what it is told, under limits and disks of its own. Arguments: path of the
 * master key, time-out in milliseconds. Takes `<path> <verb>` a line and answers each with a line of JSON, in order;
 * `end` closes all stores.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { keyFile } from '../../../../src/keystore/file/master/key-file.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import { type StoreUnderFault, storeHere, type Verb } from '../cell.ts';

const [, , masterPath = '', timeoutMs = ''] = process.argv;
const master = keyFile(masterPath);
const stores = new Map<string, StoreUnderFault>();

function storeAt(path: string): StoreUnderFault {
  const known = stores.get(path);
  if (known !== undefined) return known;
  const store = storeHere(() => keyStoreAdapters.file({ path, master }), Number(timeoutMs));
  stores.set(path, store);
  return store;
}

function say(answer: unknown): void {
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [path = '', verb = ''] = line.split(' ');
  if (path === 'end') {
    for (const store of stores.values()) await store.close();
    say('ended');
    continue;
  }
  const { outcome, said } = await storeAt(path).run(verb as Verb);
  say({ outcome, said: said.toString('base64') });
}
