import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { edit, type TestInstance } from '../../e2e/instance.ts';
import type { OpenBao } from '../../fakes/openbao.ts';

/**
 * The store `vault-eu` in this OpenBao, under the shipped policies, with what teams keep there open for adoption.
 * `address`: of a proxy that stands before it, in one test.
 */
export async function addVault(instance: TestInstance, server: OpenBao, address = server.url): Promise<void> {
  const policies = ['keyturn', 'keyturn-adopt'];
  for (const name of policies) {
    const file = fileURLToPath(new URL(`../../../policies/vault/${name}.hcl`, import.meta.url));
    await server.policy(name, readFileSync(file, 'utf8'));
  }
  const at = (name: string) => join(instance.home, 'admin', name);
  await writeFile(at('vault-ca.pem'), server.ca.certificatePem);
  await writeFile(at('vault-token'), await server.token(policies), { mode: 0o600 });
  await edit(join(instance.home, 'keyturn.yaml'), (config) => ({
    ...config,
    stores: {
      'vault-eu': {
        kind: 'vault',
        address,
        tls: { ca: 'admin/vault-ca.pem' },
        login: { method: 'token-file', file: 'admin/vault-token' },
        'adopt-from': ['secret/data/teams/*'],
      },
    },
  }));
  await instance.restart();
}
