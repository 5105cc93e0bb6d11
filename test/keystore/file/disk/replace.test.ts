import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ReplaceFailure, replaceFile, sweepTemporaries } from '../../../../src/keystore/file/disk/replace.ts';
import { temporaryFolder } from '../temporary-store.ts';

describe('replacing a file', () => {
  it('leaves the new content alone, mode 0600, whatever the umask and the old mode', async () => {
    const path = join(temporaryFolder(), 'keys.ktn');
    writeFileSync(path, 'old', { mode: 0o644 });
    const umask = process.umask(0);
    try {
      await replaceFile(path, Buffer.from('new'));
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('says for sure that nothing happened when the temporary file could not be written', async () => {
    const failure = replaceFile(join(temporaryFolder(), 'none', 'keys.ktn'), Buffer.from('new'));
    await expect(failure).rejects.toMatchObject({ ambiguous: false, errno: 'ENOENT' });
    await expect(failure).rejects.toBeInstanceOf(ReplaceFailure);
  });

  it('says that it is unclear once renaming has been tried', async () => {
    const path = join(temporaryFolder(), 'keys.ktn');
    mkdirSync(path);
    await expect(replaceFile(path, Buffer.from('new'))).rejects.toMatchObject({ ambiguous: true, errno: 'EISDIR' });
  });
});

describe('sweeping', () => {
  it('removes what an interrupted replacement of this very file left, and nothing else', async () => {
    const folder = temporaryFolder();
    const digits = '0123456789abcdef';
    const others = [
      'keys.ktn',
      'keys.ktn.lock',
      `keys.ktn.tmp-${digits}0`,
      `keys.ktn.tmp-${digits.slice(1)}`,
      `keys.ktn.tmp-${digits.toUpperCase()}`,
      `keys_ktn.tmp-${digits}`,
      `other-keys.ktn.tmp-${digits}`,
    ];
    for (const name of [...others, `keys.ktn.tmp-${digits}`]) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, 'keys.ktn.tmp-aaaaaaaaaaaaaaaa'));
    symlinkSync('keys.ktn', join(folder, 'keys.ktn.tmp-bbbbbbbbbbbbbbbb'));
    await sweepTemporaries(join(folder, 'keys.ktn'));
    const left = [...others, 'keys.ktn.tmp-aaaaaaaaaaaaaaaa', 'keys.ktn.tmp-bbbbbbbbbbbbbbbb'];
    expect(readdirSync(folder).sort()).toEqual(left.sort());
  });
});
