/** Reads a canary through the cache again and again; what is left of it in memory is for the parent to look at. */
import { hash } from 'node:crypto';
import { systemClock } from '../../../src/core/clock.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { KeyCache } from '../../../src/keystore/cache/key-cache.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';

const [seed = '', mode = ''] = process.argv.slice(2);
const driver = {
  description: 'a canary',
  // `hash` gives a Buffer of its own, which the cache's SecretBytes wipes.
  read: async () => SecretBytes.own(hash('sha512', seed, 'buffer')),
  write: async () => {},
  list: async () => [],
  destroy: async () => {},
  health: async () => ({ ready: true, detail: '' }),
  close: async () => {},
};
const cache = new KeyCache({ stores: new Set(['vault']), seconds: 60, clock: systemClock });
const store = new KeyStore('vault', driver);
const held: SecretBytes[] = [];
for (let at = 0; at < 200; at += 1) {
  const octets = await cache.read(store, 'versions/lean/sandbox/1');
  if (mode === 'keep' && at === 0) held.push(octets);
  else octets.dispose();
}
process.send?.({ kept: cache.size, held: held.length });
process.once('disconnect', () => process.exit());
