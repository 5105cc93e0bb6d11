import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freshPlace } from '../place.ts';
import { assertNothingLost } from './acknowledged.ts';
import { LedgerChild } from './child.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let child: LedgerChild;
let undo: (() => void)[];

beforeEach(async () => {
  place = await freshPlace();
  undo = [];
});
afterEach(async () => {
  await child.kill();
  for (const each of undo) each();
  await place.remove();
});

test('a full disk ends the ledger without losing what was acknowledged; with room again it goes on', async () => {
  const small = smallDisk(join(place.folder, 'small'));
  const path = join(small.folder, 'ledger.db');
  child = await LedgerChild.start({ ...place, path }, small.limits);
  child.tell('burst');
  const { status } = await child.next('status');
  expect(status.state).toBe('failed');
  expect((await child.next('rejected')).code).toBe('ledger_unavailable');
  expect(child.all('acknowledged').length).toBeGreaterThan(5);
  await child.kill();
  small.makeRoom();
  expect(await assertNothingLost(place, path, child)).toBeGreaterThan(5);
});

/** A small file system where this user may mount one, else a limit on the size of files. */
function smallDisk(folder: string) {
  mkdirSync(folder, { mode: 0o700 });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', folder]).status === 0;
  if (!mounted) return { folder, limits: { limitFileKiB: 512 }, makeRoom: () => undefined };
  undo.push(() => void spawnSync('umount', ['-l', folder]));
  const makeRoom = () => void spawnSync('mount', ['-o', 'remount,size=64m', folder]);
  return { folder, limits: {}, makeRoom };
}
