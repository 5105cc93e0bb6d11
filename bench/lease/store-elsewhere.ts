import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OpenBao } from '../../test/fakes/openbao.ts';

const POLICY = fileURLToPath(new URL('../../policies/vault/keyturn.hcl', import.meta.url));

export interface StoreElsewhere {
  /** Changes a Keyturn's configuration so that new keys go there. */
  readonly configure: (config: Record<string, unknown>) => Record<string, unknown>;
  readonly stop: () => Promise<void>;
}

/** Another OpenBao than the one that is compared, to hold the keys of a Keyturn. `folder` takes CA and token. */
export async function startStoreElsewhere(folder: string): Promise<StoreElsewhere> {
  const bao = await OpenBao.start();
  const stop = () => bao[Symbol.asyncDispose]();
  try {
    await bao.policy('keyturn', await readFile(POLICY, 'utf8'));
    const [ca, file] = [join(folder, 'store-ca.pem'), join(folder, 'store-token')];
    await writeFile(ca, bao.ca.certificatePem);
    await writeFile(file, await bao.token(['keyturn'], { ttl: '12h' }), { mode: 0o600 });
    const login = { method: 'token-file', file };
    const store = { kind: 'vault', address: bao.url, mount: 'secret', prefix: 'keyturn', tls: { ca }, login };
    return { configure: (config) => ({ ...config, stores: { openbao: store }, 'default-store': 'openbao' }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
