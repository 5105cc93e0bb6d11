import { chmod } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineSecretFiles } from '../../../../src/keystore/vault/examine/secret-files.ts';
import type { VaultConnection, VaultLogin } from '../../../../src/keystore/vault/options.ts';
import { type Folder, folderWith } from '../../../fakes/programs.ts';

let folder: Folder;
beforeAll(async () => {
  folder = await folderWith({
    secret: 'canary-9f86d081\n',
    'client.crt': '',
    'client.key': '',
    '.vault-token': 'hvs.x',
  });
});
afterAll(() => folder[Symbol.asyncDispose]());

const file = () => folder.path('secret');
const approle = (more: object = {}): VaultLogin => ({
  method: 'approle',
  roleId: 'r',
  secretIdFile: file(),
  ...more,
});
const by = (login: VaultLogin): VaultConnection => ({ login, environment: {} });

const LOGINS: Readonly<Record<string, () => VaultLogin>> = {
  'secret ID': approle,
  'wrapping token': () => approle({ wrapped: true }),
  token: () => ({ method: 'token_file', file: file() }),
};

test.each(Object.keys(LOGINS))(
  'a %s of its owner alone is well, and any other is told with what closes it',
  async (what) => {
    const login = LOGINS[what]?.() ?? approle();
    for (const mode of [0o600, 0o400]) {
      await chmod(file(), mode);
      expect(await examineSecretFiles(by(login))).toEqual([]);
    }
    for (const mode of [0o640, 0o604, 0o644, 0o660]) {
      await chmod(file(), mode);
      const shown = mode.toString(8);
      expect(await examineSecretFiles(by(login))).toEqual([
        {
          name: 'login file',
          verdict: 'attention',
          evidence: `the ${what} in ${file()} is open to others (mode ${shown}): whoever reads it logs in as Keyturn`,
          fix: `Run chmod 600 ${file()}; if others may have read it, replace it.`,
        },
      ]);
    }
  },
);

test('a projected token is world-readable in its pod, and nothing is told of it', async () => {
  await chmod(file(), 0o644);
  for (const method of ['kubernetes', 'jwt'] as const) {
    expect(await examineSecretFiles(by({ method, role: 'keyturn', tokenFile: file() }))).toEqual([]);
  }
});

test('the token that a person left at home is looked at when it is what logs in', async () => {
  await chmod(folder.path('.vault-token'), 0o644);
  const environment = { HOME: folder.path('.') };
  expect(await examineSecretFiles({ environment })).toMatchObject([
    { evidence: expect.stringContaining('.vault-token is open to others') },
  ]);
  expect(await examineSecretFiles({ environment: { ...environment, BAO_TOKEN: 'hvs.y' } })).toEqual([]);
});

test('the key of the certificate that is shown to Vault is looked at as well', async () => {
  await chmod(folder.path('client.key'), 0o644);
  const tls = { clientCertificateFile: folder.path('client.crt'), clientKeyFile: folder.path('client.key') };
  const found = await examineSecretFiles({ login: { method: 'certificate' }, tls, environment: {} });
  expect(found).toMatchObject([{ verdict: 'attention', evidence: expect.stringContaining('the client key in') }]);
});

test('a file that is not there is left to whoever needs it', async () => {
  expect(await examineSecretFiles(by({ method: 'token_file', file: folder.path('absent') }))).toEqual([]);
});
