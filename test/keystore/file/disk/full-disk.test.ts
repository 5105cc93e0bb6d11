import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../temporary-store.ts';

const CHILD = fileURLToPath(new URL('./full-disk-child.ts', import.meta.url));

describe('a key store on a disk that is full', () => {
  it('refuses the change, keeps what it had, and goes on when there is room', () => {
    const mount = join(temporaryFolder(), 'small');
    mkdirSync(mount, 0o700);
    // In a mount namespace of its own, so that the file system goes with the process.
    const script = 'mount -t tmpfs -o size=96k,mode=700 keyturn "$1" && exec "$2" "$3" "$1"';
    const run = spawnSync('unshare', ['-rm', 'sh', '-c', script, 'sh', mount, process.execPath, CHILD], {
      encoding: 'utf8',
    });
    if (run.status !== 0) throw new Error(`This test needs unshare(1) and user namespaces: ${run.stderr}`);
    const { written, refusal, whenFull, afterwards } = JSON.parse(run.stdout) as {
      written: number;
      refusal: unknown;
      whenFull: { records: number; generation: number; files: string[] };
      afterwards: { records: number; generation: number };
    };
    expect(written).toBeGreaterThan(10);
    expect(refusal).toEqual({ code: 'keystore_unavailable', certain: true, errno: 'ENOSPC' });
    expect(whenFull).toMatchObject({ records: written, generation: written + 1 });
    expect(whenFull.files).toEqual(['ballast', 'keys.ktn', 'keys.ktn.lock']);
    expect(afterwards).toMatchObject({ records: written + 1, generation: written + 2 });
  });
});
