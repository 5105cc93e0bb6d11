import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkPrivateFolder, openPrivateFile } from '../../../../src/keystore/file/disk/owner-only.ts';
import { openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { temporaryFolder, temporaryStore } from '../temporary-store.ts';

/** All mode bits that let someone else in. */
const OTHERS = [0o010, 0o020, 0o040, 0o001, 0o002, 0o004];

describe('a key store that others can reach', () => {
  for (const bit of OTHERS) {
    it(`is refused with mode bit ${bit.toString(8).padStart(3, '0')} on its file or folder, saying what to run`, async () => {
      const place = await temporaryStore();
      chmodSync(place.path, 0o600 | bit);
      await expect(place.open()).rejects.toMatchObject({
        code: 'keystore_insecure',
        fix: `Run: chmod 600 ${place.path}`,
      });
      chmodSync(place.path, 0o600);
      chmodSync(place.folder, 0o700 | bit);
      await expect(place.open()).rejects.toMatchObject({
        code: 'keystore_insecure',
        fix: `Run: chmod 700 ${place.folder}`,
      });
      chmodSync(place.folder, 0o700);
      await place.open();
    });
  }

  it('is refused when file or folder is a symbolic link', async () => {
    const place = await temporaryStore();
    renameSync(place.path, join(place.folder, 'real'));
    symlinkSync('real', place.path);
    await expect(place.open()).rejects.toMatchObject({ code: 'keystore_insecure' });
    const link = join(temporaryFolder(), 'link');
    symlinkSync(place.folder, link);
    const through = openFileStore({ path: join(link, 'real'), master: place.master });
    await expect(through).rejects.toMatchObject({ code: 'keystore_insecure' });
  });

  it('is refused when it is a folder or a FIFO, without waiting for one', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'folder'), 0o700);
    await expect(openPrivateFile(join(folder, 'folder'))).rejects.toMatchObject({ code: 'keystore_insecure' });
    expect(spawnSync('mkfifo', ['-m', '600', join(folder, 'fifo')]).status).toBe(0);
    await expect(openPrivateFile(join(folder, 'fifo'))).rejects.toMatchObject({ code: 'keystore_insecure' });
  });

  it('is told from one that is not there', async () => {
    const folder = temporaryFolder();
    await expect(openPrivateFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(checkPrivateFolder(join(folder, 'none'))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is refused when it belongs to another user', async () => {
    let path = '/etc/passwd'; // root's, for everyone who is not
    if (process.geteuid?.() === 0) {
      path = join(temporaryFolder(), 'file');
      writeFileSync(path, 'x', { mode: 0o600 });
      chownSync(path, 65_534, 65_534);
    }
    const message = expect.stringContaining('belongs to user');
    await expect(openPrivateFile(path)).rejects.toMatchObject({ code: 'keystore_insecure', message });
  });
});

describe('what a service manager hands over', () => {
  it('may be readable through an access list, and not by everyone', async () => {
    const path = join(temporaryFolder(), 'credential');
    writeFileSync(path, 'x', { mode: 0o440 });
    await (await openPrivateFile(path, 'systemd')).close();
    await expect(openPrivateFile(path)).rejects.toMatchObject({ code: 'keystore_insecure' });
    for (const mode of [0o444, 0o460, 0o450, 0o442, 0o441]) {
      chmodSync(path, mode);
      await expect(openPrivateFile(path, 'systemd')).rejects.toMatchObject({ code: 'keystore_insecure' });
    }
  });
});
