import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OpenBao } from '../../test/fakes/openbao.ts';
import type { Narrator } from '../narrator.ts';
import type { StoryStore } from './store.ts';

const POLICY = fileURLToPath(new URL('../../policies/vault/keyturn.hcl', import.meta.url));

/** OpenBao, the open successor of Vault, which speaks as Vault does: TLS, KV version 2, and a login for Keyturn alone. */
export async function startVault(folder: string, narrator: Narrator): Promise<StoryStore> {
  narrator.step('OpenBao on this machine: initialised, unsealed, TLS, KV version 2 at secret/');
  const server = await OpenBao.start();
  narrator.say(`it listens on ${server.url}; as its operator would:`);
  try {
    const login = await admitKeyturn(server, folder, narrator);
    const ca = join(folder, 'vault-ca.pem');
    await writeFile(ca, server.ca.certificatePem);
    const setting = { kind: 'vault', address: server.url, mount: 'secret', prefix: 'keyturn', tls: { ca }, login };
    return { setting, show: (record) => metadata(server, record), [Symbol.asyncDispose]: () => stop(server) };
  } catch (error) {
    await stop(server);
    throw error;
  }
}

/** By AppRole, with the shipped policy and nothing else. */
async function admitKeyturn(server: OpenBao, folder: string, narrator: Narrator) {
  narrator.command('bao policy write keyturn policies/vault/keyturn.hcl');
  await server.policy('keyturn', await readFile(POLICY, 'utf8'));
  narrator.command('bao auth enable approle');
  await server.root({ path: 'sys/auth/approle', body: { type: 'approle' } });
  narrator.command(
    'bao write auth/approle/role/keyturn token_policies=keyturn token_no_default_policy=true token_ttl=1h',
  );
  const role = { token_policies: ['keyturn'], token_no_default_policy: true, token_ttl: '1h' };
  await server.root({ path: 'auth/approle/role/keyturn', body: role });
  narrator.command('bao read -field=role_id auth/approle/role/keyturn/role-id');
  const { data } = await server.root<{ data: { role_id: string } }>({ path: 'auth/approle/role/keyturn/role-id' });
  narrator.command('bao write -f -field=secret_id auth/approle/role/keyturn/secret-id > secret-id');
  const made = await server.root<{ data: { secret_id: string } }>({
    path: 'auth/approle/role/keyturn/secret-id',
    body: {},
  });
  const file = join(folder, 'secret-id');
  await writeFile(file, `${made.data.secret_id}\n`, { mode: 0o600 });
  return { method: 'approle', 'role-id': data.role_id, 'secret-id-file': file };
}

/** What Vault keeps beside a record's content. */
async function metadata(server: OpenBao, record: string): Promise<string[]> {
  const path = `secret/metadata/keyturn/${record}`;
  const { data } = await server.root<{
    data: { created_time: string; current_version: number; custom_metadata: Record<string, string> | null };
  }>({ path });
  return [
    `${path}: version ${data.current_version}, of ${data.created_time}`,
    `custom_metadata: ${JSON.stringify(data.custom_metadata)}`,
  ];
}

function stop(server: OpenBao): Promise<void> {
  return server[Symbol.asyncDispose]();
}
