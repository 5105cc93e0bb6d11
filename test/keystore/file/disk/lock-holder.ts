/** A process of its own that holds a store's lock until it is killed. Arguments: path of the store. */
import { FileLock } from '../../../../src/keystore/file/disk/lock.ts';

await FileLock.acquire(process.argv[2]!).then(
  () => process.stdout.write('held\n'),
  (error: unknown) => process.stdout.write(`${(error as { code?: string }).code ?? 'failed'}\n`),
);
setInterval(() => {}, 1_000_000);
