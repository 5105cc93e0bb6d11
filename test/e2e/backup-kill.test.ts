import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackupScene, reached } from './backup-kill/scene.ts';
import type { ServerProcess } from './kill/server-process.ts';

/** How far a backup has come when something is killed. */
const POINTS: Readonly<Record<string, (scene: BackupScene) => boolean>> = {
  'before anything is copied': (scene) => scene.files().length > 0,
  'as the copy of the ledger begins': (scene) => scene.copied() !== null,
  'with the ledger half copied': (scene) => (scene.copied() ?? 0) > scene.ledgerOctets / 2,
  'as the first octets arrive': (scene) => scene.received() > 0,
  'when half of it has arrived': (scene) => scene.received() > scene.ledgerOctets / 2,
  'when nearly all of it has arrived': (scene) => scene.received() > scene.ledgerOctets * 0.9,
};

let scene: BackupScene;
let server: ServerProcess;
/** Copies of the ledger that killed servers have left. */
let leftBehind = 0;

beforeAll(async () => {
  scene = await BackupScene.make();
  server = await scene.serve();
}, 120_000);
afterAll(() => scene[Symbol.asyncDispose]());

/** A backup to the very name that a killed one was to have, which is whole. */
async function backsUpAgain(): Promise<void> {
  const { code, err } = await scene.backup().ended;
  expect([code, err]).toMatchObject([0, expect.not.stringContaining('rror')]);
  expect(scene.files()).toEqual([scene.file]);
  expect(scene.copies()).toEqual([]);
  await rm(scene.file);
}

describe.each(Object.entries(POINTS))('killed %s:', (_name, point) => {
  test('of a killed command nothing has the name of the backup, and the server goes on', async () => {
    const command = scene.backup();
    expect(await reached(() => point(scene), command.ended)).toBe(true);
    command.child.kill('SIGKILL');
    await command.ended;
    expect(scene.openToOthers()).toEqual([]);
    const left = scene.files();
    expect(left).not.toContain(scene.file);
    for (const file of left) {
      await expect(scene.restore(file)).rejects.toMatchObject({ code: 'backup_invalid' });
    }
    await expect.poll(() => scene.copies(), { timeout: 10_000 }).toEqual([]);
    await backsUpAgain();
  }, 60_000);

  test('of a killed server no copy of the ledger outlives the next start, and the command leaves no file', async () => {
    const command = scene.backup();
    expect(await reached(() => point(scene), command.ended)).toBe(true);
    await server.kill();
    const { code, err } = await command.ended;
    expect(code).not.toBe(0);
    expect(err).toMatch(/The answer broke off|does not answer/);
    expect(scene.files()).toEqual([]);
    expect(scene.openToOthers()).toEqual([]);
    leftBehind += scene.copies().length;
    server = await scene.serve();
    expect(scene.copies()).toEqual([]);
    await backsUpAgain();
  }, 60_000);
});

test('after all of it the log is whole, and a restore finds every entry', async () => {
  expect(leftBehind).toBeGreaterThan(2);
  expect((await scene.backup().ended).code).toBe(0);
  const restored = await scene.restore(scene.file);
  expect(restored.size).toBeGreaterThan(2000 + Object.keys(POINTS).length * 2);
}, 60_000);

test('what a killed restore left goes before the next one, but not what another one works in', async () => {
  for (const name of ['again', 'elsewhere']) await rm(join(scene.place, name), { recursive: true, force: true });
  const [killed, working] = [scene.restoring('again'), scene.restoring('elsewhere')];
  const isUnpacking = (name: string) =>
    scene.stagings(name).some((folder) => existsSync(join(folder, 'instance', 'ledger')));
  expect(await reached(() => isUnpacking('again'), killed.ended)).toBe(true);
  killed.child.kill('SIGKILL');
  await killed.ended;
  const [left = ''] = scene.stagings('again');
  expect(readdirSync(join(left, 'instance'))).toContain('ledger');
  expect((await working.ended).code).toBe(10);

  const first = scene.restoring('again');
  expect(await reached(() => isUnpacking('again'), first.ended)).toBe(true);
  const second = scene.restoring('again');
  const both = await Promise.all([first.ended, second.ended]);
  // One of the two comes first, the other finds the folder taken; neither takes the other's work away.
  expect(
    both.map(({ code }) => Number(code)).toSorted((a, b) => a - b),
    both.map(({ err }) => err).join(),
  ).toEqual([5, 10]);
  expect(scene.stagings('again')).toEqual([]);
  expect(readdirSync(join(scene.place, 'again'))).toContain('keyturn.yaml');
  expect(readdirSync(join(scene.place, 'again'))).not.toContain('restore.lock');
}, 60_000);
