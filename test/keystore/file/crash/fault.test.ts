import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { type FileStoreReport, verifyFileStore } from '../../../../src/keystore/file/verify.ts';
import { plain, type TemporaryStore, temporaryStore } from '../temporary-store.ts';
import { contentOf } from './content.ts';
import { StoreProcess } from './disturbed-store.ts';

// Not write(2): the thread wakes the event loop by it, and libuv aborts when it fails. Files are written by pwrite64(2).
const CALLS = ['openat', 'pwrite64', 'fsync', 'fdatasync', 'rename', 'statx', 'close'];

async function disturbed(): Promise<{
  place: TemporaryStore;
  child: StoreProcess;
  restart: () => Promise<StoreProcess>;
}> {
  const place = await temporaryStore({ 'versions/a/b/first': contentOf('versions/a/b/first') });
  const restart = () => StoreProcess.start(place.path, join(place.folder, '..', 'master.key'));
  return { place, child: await restart(), restart };
}

function hashOf(name: string): string {
  return createHash('sha256').update(contentOf(name)).digest('hex');
}

describe('a change to a store on a disk that fails', () => {
  for (const errno of ['EIO', 'ENOSPC']) {
    it(`is whole or not at all at every call answered with ${errno}, and succeeds when repeated`, {
      timeout: 120_000,
    }, async () => {
      const { place, child } = await disturbed();
      const before = await verifyFileStore(place);
      let faults = 0;
      for (const call of CALLS) {
        for (let nth = 1; ; nth++) {
          const name = `versions/${call}/${errno.toLowerCase()}/${nth}`;
          const detach = await child.strace('-e', `trace=${call}`, '-e', `inject=${call}:error=${errno}:when=${nth}`);
          const answer = await child.tell(`write ${name}`);
          const hit = (await detach()).some((line) => line.includes('(INJECTED)'));
          const report = await verifyFileStore(place);
          if (answer === 'done') expect(report.records).toBe(before.records + 1);
          else expect(answer).toMatch(/^keystore_unavailable (ambiguous|certain)$/);
          if (answer.endsWith('certain')) expect(report.digest).toBe(before.digest);
          expect(await child.tell(`write ${name}`)).toBe('done');
          expect(await child.tell(`read ${name}`)).toBe(hashOf(name));
          expect((await verifyFileStore(place)).records).toBe(before.records + 1);
          expect(await child.tell(`destroy ${name}`)).toBe('done');
          expect((await verifyFileStore(place)).digest).toBe(before.digest);
          if (!hit) break;
          faults++;
        }
      }
      expect(faults).toBeGreaterThanOrEqual(10);
      await child.kill();
      const reopened = await openFileStore(place);
      expect(await plain(reopened, 'versions/a/b/first')).toEqual(contentOf('versions/a/b/first'));
      await reopened.close();
    });
  }

  it('is whole or not at all when the process is killed at every call', { timeout: 120_000 }, async () => {
    const { place, child, restart } = await disturbed();
    await child.kill();
    let kills = 0;
    for (const call of CALLS) {
      for (let nth = 1; ; nth++) {
        const name = `versions/${call}/kill/${nth}`;
        const victim = await restart();
        const detach = await victim.strace('-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${nth}`);
        const answer = await victim.tell(`write ${name}`);
        await detach();
        await victim.kill();
        const store = await openFileStore(place);
        const content = await plain(store, name);
        await store.destroy(name);
        await store.close();
        if (content !== null) expect(content.equals(contentOf(name))).toBe(true);
        if (answer === 'done') {
          expect(content).not.toBeNull();
          break;
        }
        kills++;
      }
    }
    expect(kills).toBeGreaterThanOrEqual(10);
  });

  it('that may have happened is made durable anew before the store answers anything', async () => {
    const { place, child } = await disturbed();
    const name = 'versions/a/b/doubtful';
    const fail = await child.strace('-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=2');
    expect(await child.tell(`write ${name}`)).toBe('keystore_unavailable ambiguous');
    expect((await fail()).at(-1)).toContain('(INJECTED)');
    const doubtful: FileStoreReport = await verifyFileStore(place);
    expect(doubtful.records).toBe(2);

    const watch = await child.strace('-e', 'trace=fsync,rename');
    expect(await child.tell(`read ${name}`)).toBe(hashOf(name));
    expect((await watch()).map((line) => line.split('(')[0])).toEqual(['fsync', 'rename', 'fsync']);
    expect(await verifyFileStore(place)).toEqual(doubtful);
    expect(await child.tell('health -')).toBe('ready');
  });

  it('that may have happened stays in doubt while the disk fails, and nothing is answered meanwhile', async () => {
    const { child } = await disturbed();
    const name = 'versions/a/b/doubtful';
    const fail = await child.strace('-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=2+');
    expect(await child.tell(`write ${name}`)).toBe('keystore_unavailable ambiguous');
    expect(await child.tell('read versions/a/b/first')).toBe('keystore_unavailable ambiguous');
    expect(await child.tell(`write ${name}`)).toBe('keystore_unavailable ambiguous');
    expect(await child.tell('health -')).toBe('not-ready');
    await fail();
    expect(await child.tell('health -')).toBe('ready');
    expect(await child.tell(`read ${name}`)).toBe(hashOf(name));
  });
});

describe('a change to a store', () => {
  it('syncs the new file before it takes the old name, and the folder after', async () => {
    const { place, child } = await disturbed();
    const watch = await child.strace('-e', 'trace=openat,pwrite64,fsync,rename');
    expect(await child.tell('write versions/a/b/2')).toBe('done');
    const temporary = `${place.path}.tmp-[0-9a-f]{16}`;
    const steps = [
      new RegExp(`^openat\\(.*"${temporary}", O_WRONLY\\|O_CREAT\\|O_EXCL\\|O_NOFOLLOW\\|O_CLOEXEC, 0600\\)`),
      new RegExp(`^pwrite64\\(\\d+<${temporary}>`),
      new RegExp(`^fsync\\(\\d+<${temporary}>\\)`),
      new RegExp(`^rename\\("${temporary}", "${place.path}"\\)`),
      new RegExp(`^openat\\(.*"${place.folder}", O_RDONLY.*O_DIRECTORY`),
      new RegExp(`^fsync\\(\\d+<${place.folder}>\\)`),
    ];
    const calls = await watch();
    expect(calls.map((line, index) => steps[index]?.test(line) ?? false)).toEqual(steps.map(() => true));
  });

  it('is not acknowledged before the folder is synced', async () => {
    const { child } = await disturbed();
    const detach = await child.strace('-e', 'trace=fsync', '-e', 'inject=fsync:delay_enter=400000:when=2');
    const start = performance.now();
    expect(await child.tell('write versions/a/b/2')).toBe('done');
    expect(performance.now() - start).toBeGreaterThan(390);
    await detach();
  });
});
