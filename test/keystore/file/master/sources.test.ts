import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { createFileStore, openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { generateKeyFile } from '../../../../src/keystore/file/master/generate.ts';
import { keyFile } from '../../../../src/keystore/file/master/key-file.ts';
import { passphrase } from '../../../../src/keystore/file/master/passphrase.ts';
import type { MasterKeySource } from '../../../../src/keystore/file/master/source.ts';
import { systemdCredential } from '../../../../src/keystore/file/master/systemd-credential.ts';
import { verifyFileStore } from '../../../../src/keystore/file/verify.ts';
import { temporaryFolder, temporaryStore } from '../temporary-store.ts';

function typed(text: string): MasterKeySource {
  return passphrase(async () => SecretBytes.copyOf(Buffer.from(text)));
}

async function octetsOf(source: MasterKeySource): Promise<Buffer> {
  using octets = await source.read();
  return Buffer.from(octets.bytes);
}

describe('a master key file', () => {
  it('gives the same 32 octets raw and in base64, with either line end or none', async () => {
    const path = join(temporaryFolder(), 'master.key');
    const key = randomBytes(32);
    const forms = [key, ...['', '\n', '\r\n'].map((end) => Buffer.from(key.toString('base64') + end))];
    for (const content of forms) {
      writeFileSync(path, content, { mode: 0o600 });
      expect(await octetsOf(keyFile(path))).toEqual(key);
    }
  });

  it('is refused with any other content, which the error does not quote', async () => {
    const path = join(temporaryFolder(), 'master.key');
    const text = randomBytes(32).toString('base64');
    const wrong = [
      '',
      text.slice(1),
      `${text}\n\n`,
      ` ${text}`,
      `${text.slice(0, 43)}A`,
      text.replace('=', '*'),
      text + text,
    ];
    for (const content of [...wrong.map((form) => Buffer.from(form)), randomBytes(31), randomBytes(33)]) {
      writeFileSync(path, content, { mode: 0o600 });
      const error: unknown = await keyFile(path)
        .read()
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'master_key_wrong' });
      if (content.length > 0) expect(String(error)).not.toContain(content.toString().slice(4, 12));
    }
    writeFileSync(path, Buffer.alloc(5000), { mode: 0o600 });
    await expect(keyFile(path).read()).rejects.toMatchObject({ code: 'keystore_corrupt' });
  });

  it('is refused when others can read it, or through a symbolic link', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'master.key');
    writeFileSync(path, randomBytes(32), { mode: 0o600 });
    symlinkSync(path, join(folder, 'link'));
    await expect(keyFile(join(folder, 'link')).read()).rejects.toMatchObject({ code: 'keystore_insecure' });
    chmodSync(path, 0o640);
    await expect(keyFile(path).read()).rejects.toMatchObject({ code: 'keystore_insecure' });
  });
});

describe('a generated master key file', () => {
  it('opens the store made with it, is for its owner alone, and lies in another folder than the store', async () => {
    const [keys, stores] = [temporaryFolder(), temporaryFolder()];
    const path = join(stores, 'keys.ktn');
    const master = await generateKeyFile(join(keys, 'master.key'), path);
    expect(statSync(join(keys, 'master.key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(keys, 'master.key'), 'latin1')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    await (await createFileStore({ path, master })).close();
    await (await openFileStore({ path, master: keyFile(join(keys, 'master.key')) })).close();
    await expect(generateKeyFile(join(stores, 'master.key'), path)).rejects.toMatchObject({
      code: 'keystore_insecure',
    });
  });

  it('never replaces one that is there', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'master.key');
    await generateKeyFile(path, '/elsewhere/keys.ktn');
    const before = readFileSync(path);
    await expect(generateKeyFile(path, '/elsewhere/keys.ktn')).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(path)).toEqual(before);
  });

  it('is refused in a folder that others can enter', async () => {
    const folder = join(temporaryFolder(), 'open');
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const made = generateKeyFile(join(folder, 'master.key'), '/elsewhere/keys.ktn');
    await expect(made).rejects.toMatchObject({ code: 'keystore_insecure' });
  });
});

describe('a systemd credential', () => {
  it('gives the master key that the service manager put into its folder', async () => {
    const folder = temporaryFolder();
    const key = randomBytes(32);
    writeFileSync(join(folder, 'keyturn-master'), key, { mode: 0o400 });
    chmodSync(folder, 0o500);
    const source = systemdCredential('keyturn-master', { CREDENTIALS_DIRECTORY: folder });
    expect(await octetsOf(source)).toEqual(key);
    const other = systemdCredential('other', { CREDENTIALS_DIRECTORY: folder });
    await expect(other.read()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is refused outside of a service, and under a name that is a path', async () => {
    await expect(systemdCredential('name', {}).read()).rejects.toMatchObject({ code: 'config_invalid' });
    for (const name of ['', '..', '.hidden', 'a/b', '../x', 'a\0b']) {
      expect(() => systemdCredential(name, {})).toThrowError(expect.objectContaining({ code: 'config_invalid' }));
    }
  });
});

describe('a passphrase', () => {
  it('opens the store made with it; another, a key file and a wrong octet do not', { timeout: 60_000 }, async () => {
    const place = await temporaryStore({ 'versions/a/b/1': Buffer.from('x') }, typed('correct horse battery staple'));
    await place.open();
    expect(await verifyFileStore(place)).toMatchObject({ records: 1, lockedWith: 'passphrase' });
    for (const text of [
      'correct horse battery stapl',
      'Correct horse battery staple',
      'correct horse battery staple ',
    ]) {
      const wrong = verifyFileStore({ ...place, master: typed(text) });
      await expect(wrong).rejects.toMatchObject({ code: 'master_key_wrong' });
    }
    const master = await generateKeyFile(join(temporaryFolder(), 'master.key'), place.path);
    await expect(verifyFileStore({ ...place, master })).rejects.toMatchObject({ code: 'master_key_wrong' });
  });

  it('can take the place of a key file, with a salt of its own each time', { timeout: 60_000 }, async () => {
    const place = await temporaryStore({ 'versions/a/b/1': Buffer.from('x') });
    const store = await place.open();
    await store.rotateMasterKey(typed('correct horse battery staple'));
    const salt = place.octets().subarray(39, 55);
    await store.rotateMasterKey(typed('correct horse battery staple'));
    expect(place.octets().subarray(39, 55).equals(salt)).toBe(false);
    await expect(verifyFileStore(place)).rejects.toMatchObject({ code: 'master_key_wrong' });
  });

  it('is refused for a new lock when it is shorter than 15 octets, and everywhere when empty or huge', async () => {
    const place = await temporaryStore();
    const store = await place.open();
    const before = place.octets();
    for (const text of ['', 'fourteen chars', 'x'.repeat(1025)]) {
      await expect(store.rotateMasterKey(typed(text))).rejects.toMatchObject({ code: 'invalid_input' });
    }
    expect(place.octets()).toEqual(before);
  });
});
