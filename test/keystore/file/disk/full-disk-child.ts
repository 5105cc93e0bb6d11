/**
 * Fills a small file system with records, then makes room and goes on. Arguments: folder. Answers on standard output
 * with one line of JSON. The folder is on a file system of this process alone.
 */
import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { createFileStore } from '../../../../src/keystore/file/file-store.ts';
import { verifyFileStore } from '../../../../src/keystore/file/verify.ts';

const folder = join(process.argv[2]!, 'store');
mkdirSync(folder, { mode: 0o700 });
const path = join(folder, 'keys.ktn');
const master = {
  kind: 'key' as const,
  description: 'test key',
  read: async () => SecretBytes.copyOf(new Uint8Array(32)),
};
const store = await createFileStore({ path, master });
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(16_384, 1));

let written = 0;
let refusal: unknown = null;
while (refusal === null && written < 1000) {
  await store.write(`versions/a/b/${written}`, SecretBytes.copyOf(Buffer.alloc(1000, 1 + (written % 255)))).then(
    () => written++,
    (error: unknown) => {
      refusal = isKeyturnError(error) ? { code: error.code, ...error.facts } : String(error);
    },
  );
}
const whenFull = { ...(await verifyFileStore({ path, master })), files: readdirSync(folder).sort() };
unlinkSync(ballast);
await store.write('versions/a/b/after', SecretBytes.copyOf(Buffer.alloc(1000, 7)));
const afterwards = await verifyFileStore({ path, master });
process.stdout.write(JSON.stringify({ written, refusal, whenFull, afterwards }));
await store.close();
