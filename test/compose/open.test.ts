import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../src/compose/open.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { edit } from '../e2e/instance.ts';
import { type Home, madeHome } from './home.ts';

let opened: Instance[] = [];

afterEach(async () => {
  for (const instance of opened) await instance.close();
  opened = [];
});

async function open(home: string, ask = cannotAsk): Promise<Instance> {
  const instance = await openInstance(await loadConfig(home), { ask });
  opened.push(instance);
  return instance;
}

async function close(instance: Instance): Promise<void> {
  opened = opened.filter((each) => each !== instance);
  await instance.close();
}

/** Opens, adds an entry, closes. */
async function used({ path }: Home): Promise<void> {
  const instance = await open(path);
  await instance.desk.ledger.commit({ entry: { kind: 'test.noted', actor: 'system', data: {} } });
  await close(instance);
}

test('one process at a time: a second one is told which file is held', async () => {
  await using home = await madeHome();
  const first = await open(home.path);
  await expect(open(home.path)).rejects.toMatchObject({ code: 'keystore_in_use', fix: expect.stringMatching(/\S/) });
  await close(first);
  await open(home.path);
});

test('two homes on one ledger: the second one is refused there', async () => {
  await using home = await madeHome();
  const other = await home.copy('other');
  await edit(join(other, 'keyturn.yaml'), (config) => ({
    ...config,
    ledger: { path: join(home.path, 'ledger', 'ledger.db') },
  }));
  await open(home.path);
  await expect(open(other)).rejects.toMatchObject({ code: 'ledger_in_use' });
});

test('a start that is refused holds nothing back: the next one succeeds', async () => {
  await using home = await madeHome();
  const wrong = join(home.path, 'policies', 'access', 'wrong.yaml');
  await writeFile(wrong, 'roles: 7\n');
  await expect(open(home.path)).rejects.toMatchObject({ code: 'policy_invalid' });
  await rm(wrong);
  await open(home.path);
});

test('an older copy of the key store is refused before anything is released', async () => {
  await using home = await madeHome();
  const backup = await home.copy('backup');
  const instance = await open(home.path);
  using octets = SecretBytes.copyOf(Buffer.from('a record'));
  await instance.store.write('versions/lean/sandbox/1', octets);
  const attested = await instance.store.attest();
  if (attested === null) throw new Error('a file store attests');
  await instance.desk.ledger.commit({
    writes: [{ put: 'stores', row: { store: 'file', ...attested } }],
    entry: { kind: 'test.noted', actor: 'system', data: {} },
  });
  await close(instance);
  await cp(join(backup, 'keys', 'keys.ktn'), join(home.path, 'keys', 'keys.ktn'));
  await expect(open(home.path)).rejects.toMatchObject({ code: 'keystore_rollback' });
});

test('an older copy of the ledger is refused: the checkpoint outside has seen more', async () => {
  await using home = await madeHome();
  await used(home);
  const backup = await home.copy('backup');
  await used(home);
  await rm(join(home.path, 'ledger'), { recursive: true });
  await cp(join(backup, 'ledger'), join(home.path, 'ledger'), { recursive: true });
  const refusal = expect.stringContaining('rolled back');
  await expect(open(home.path)).rejects.toMatchObject({ code: 'ledger_corrupt', message: refusal });
});

test('the store of another instance is refused', async () => {
  await using home = await madeHome();
  await using other = await madeHome();
  await used(home);
  for (const file of ['keys/keys.ktn', 'master/master.key']) {
    await cp(join(other.path, file), join(home.path, file));
  }
  await expect(open(home.path)).rejects.toMatchObject({ code: 'ledger_corrupt' });
});

test('a master key that is another, missing or open to others is told', async () => {
  await using home = await madeHome();
  await using other = await madeHome();
  const key = join(home.path, 'master', 'master.key');
  const right = await readFile(key);
  await cp(join(other.path, 'master', 'master.key'), key);
  await expect(open(home.path)).rejects.toMatchObject({ code: 'master_key_wrong' });
  await rm(key);
  await expect(open(home.path)).rejects.toMatchObject({ code: 'not_found' });
  await writeFile(key, right, { mode: 0o644 });
  await expect(open(home.path)).rejects.toMatchObject({ code: 'keystore_insecure' });
});

const PASSPHRASE = 'five random words in a row';
const askRight = async () => SecretBytes.copyOf(Buffer.from(PASSPHRASE));

test('a passphrase opens the store, asked for or out of a file; a wrong one does not', async () => {
  await using home = await madeHome({ masterKey: { passphrase: 'prompt' }, ask: askRight });
  await close(await open(home.path, askRight));
  await expect(open(home.path)).rejects.toMatchObject({ code: 'config_invalid' });
  const askWrong = async () => SecretBytes.copyOf(Buffer.from('another passphrase'));
  await expect(open(home.path, askWrong)).rejects.toMatchObject({ code: 'master_key_wrong' });

  const file = join(home.path, 'passphrase');
  await writeFile(file, `${PASSPHRASE}\n`, { mode: 0o600 });
  await edit(join(home.path, 'keyturn.yaml'), (config) => ({
    ...config,
    keystore: { ...(config['keystore'] as object), 'master-key': { 'passphrase-file': 'passphrase' } },
  }));
  await open(home.path);
});

test('a systemd credential starts it unattended', async () => {
  await using home = await madeHome();
  const credentials = join(dirname(home.path), 'credentials');
  await mkdir(credentials, { mode: 0o700 });
  await cp(join(home.path, 'master', 'master.key'), join(credentials, 'master'));
  await rm(join(home.path, 'master'), { recursive: true });
  await edit(join(home.path, 'keyturn.yaml'), (config) => ({
    ...config,
    keystore: { ...(config['keystore'] as object), 'master-key': { 'systemd-credential': 'master' } },
  }));
  await expect(open(home.path)).rejects.toMatchObject({ code: 'config_invalid' });
  process.env['CREDENTIALS_DIRECTORY'] = credentials;
  try {
    await open(home.path);
  } finally {
    delete process.env['CREDENTIALS_DIRECTORY'];
  }
});
