import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileLock } from '../../../../src/keystore/file/disk/lock.ts';
import { temporaryFolder, temporaryStore } from '../temporary-store.ts';

const HOLDER = fileURLToPath(new URL('./lock-holder.ts', import.meta.url));

/** What another process gets when it asks for the lock; it goes on running. */
async function elsewhere(path: string): Promise<{ answer: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [HOLDER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [answer] = (await once(child.stdout, 'data')) as [Buffer];
  return { answer: answer.toString().trim(), process: child };
}

describe('the lock of a key store file', () => {
  it('is refused to another process and to this one again, until it is released', async () => {
    const path = join(temporaryFolder(), 'keys.ktn');
    const lock = await FileLock.acquire(path);
    await expect(FileLock.acquire(path)).rejects.toMatchObject({ code: 'keystore_in_use' });
    // The refused attempt in this process must not have dropped the lock for others: POSIX locks are lost so.
    expect((await elsewhere(path)).answer).toBe('keystore_in_use');
    lock[Symbol.dispose]();
    expect((await elsewhere(path)).answer).toBe('held');
  });

  it('is free at once after its holder was killed', async () => {
    const path = join(temporaryFolder(), 'keys.ktn');
    const holder = await elsewhere(path);
    expect(holder.answer).toBe('held');
    await expect(FileLock.acquire(path)).rejects.toMatchObject({ code: 'keystore_in_use' });
    holder.process.kill('SIGKILL');
    await once(holder.process, 'exit');
    (await FileLock.acquire(path))[Symbol.dispose]();
  });

  it('is a file for its owner alone, and leaves no other', async () => {
    const folder = temporaryFolder();
    using _lock = await FileLock.acquire(join(folder, 'keys.ktn'));
    expect(readdirSync(folder)).toEqual(['keys.ktn.lock']);
    expect(statSync(join(folder, 'keys.ktn.lock')).mode & 0o777).toBe(0o600);
  });

  it('tells of a lock file that is something else', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'keys.ktn.lock'), 'x'.repeat(5000));
    const lock = FileLock.acquire(join(folder, 'keys.ktn'));
    await expect(lock).rejects.toMatchObject({ code: 'keystore_unavailable' });
  });

  it('keeps a second opening of a store out, and lets it in after the first one closed', async () => {
    const place = await temporaryStore();
    const first = await place.open();
    await expect(place.open()).rejects.toMatchObject({ code: 'keystore_in_use' });
    await first.close();
    await place.open();
  });
});
