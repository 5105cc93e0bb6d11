/** A process of its own that holds a store's lock until it is killed. Arguments: path of the store. */
import { FileLock } from '../../../../src/keystore/file/disk/lock.ts';

try {
  const lock = await FileLock.acquire(process.argv[2]!);
  process.stdout.write('held\n');
  // A lock that nobody keeps is collected, and then it is given back.
  setInterval(() => lock.holds(), 1_000_000);
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code ?? 'failed'}\n`);
  setInterval(() => {}, 1_000_000);
}
