import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { vaultStore } from '../../../src/compose/settings/vault.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { examineVault } from '../../../src/keystore/vault/examine/examine.ts';
import { transitMasterKey, wrapWithTransit } from '../../../src/keystore/vault/transit.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { folderWith } from '../../fakes/programs.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/design/keystore-vault.md'), 'utf8');

function blocks(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);
}

test('every example of the page is one that the configuration takes', () => {
  const [whole, ...logins] = blocks('yaml').map((block) => parse(block) as Record<string, unknown>);
  const { stores } = whole as { stores: { vault: object } };
  expect(vaultStore.safeParse(stores.vault).error).toBeUndefined();
  expect(logins.length).toBe(5);
  for (const members of logins) expect(vaultStore.safeParse({ kind: 'vault', ...members }).error).toBeUndefined();
});

test('an operator who runs what the page says has a store that is well, and a master key that is wrapped', async () => {
  await using server = await OpenBao.start();
  await server.root({ path: 'sys/mounts/secret', method: 'DELETE' });
  await using folder = await folderWith({ 'ca.pem': server.ca.certificatePem });
  await symlink(join(ROOT, 'policies'), folder.path('policies'));
  const shell = async (script: string) => {
    const env = {
      ...process.env,
      BAO_ADDR: server.url,
      BAO_CACERT: folder.path('ca.pem'),
      BAO_TOKEN: server.rootToken,
    };
    const child = spawn('sh', ['-eu'], { cwd: folder.path('.'), env, stdio: 'pipe' });
    child.stdin.end(script);
    const [, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  };
  const [setUp = '', transit = ''] = blocks('sh');
  await shell(setUp);
  const tls = { caFile: folder.path('ca.pem') };
  const roleId = (await readFile(folder.path('role-id'), 'utf8')).trim();
  const login = { method: 'approle', roleId, secretIdFile: folder.path('secret-id') } as const;
  const found = await examineVault({
    address: server.url,
    tls,
    login,
    mount: 'secret',
    prefix: 'keyturn',
    environment: {},
  });
  expect(found.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  expect(found.map(({ name }) => name)).toEqual(['settings', 'server', 'login', 'mount', 'policy']);

  await shell(transit.replace(/^keyturn init.*$/m, ''));
  const BAO_TOKEN = await server.token(['keyturn-transit']);
  const options = { address: server.url, tls, key: 'keyturn', environment: { BAO_TOKEN } };
  using master = SecretBytes.copyOf(Buffer.alloc(32, 7));
  const wrapped = await folderWith({ wrapped: `${await wrapWithTransit(options, master)}\n` });
  using again = await transitMasterKey({ ...options, wrappedFile: wrapped.path('wrapped') }).read();
  expect(again.equals(master)).toBe(true);
  await wrapped[Symbol.asyncDispose]();
});
