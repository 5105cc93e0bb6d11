import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { initInstance } from '../../src/compose/init.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { openInstance } from '../../src/compose/open.ts';
import { emptyHome, madeHome } from './home.ts';

const ask = cannotAsk;

test('what init makes is its owner’s alone, opens, and its log begins with itself', async () => {
  await using home = await madeHome();
  for (const name of await readdir(home.path)) {
    const { mode } = await stat(join(home.path, name));
    expect(mode & 0o077, name).toBe(0);
  }
  const instance = await openInstance(await loadConfig(home.path), { ask });
  const entries = await instance.desk.ledger.entries({});
  expect(entries.map(({ json }) => (JSON.parse(json) as { kind: string }).kind)).toEqual([
    'log.started',
    'token.created',
    'policy.loaded',
  ]);
  expect(await instance.store.list()).toHaveLength(2);
  await instance.close();
});

test('the connection file is public and the token is nowhere but in its own file', async () => {
  await using home = await madeHome();
  const token = await readFile(join(home.path, 'admin', 'token'));
  const secret = token.subarray(-30);
  const files = await readdir(home.path, { recursive: true, withFileTypes: true });
  const holding: string[] = [];
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && (await readFile(path)).includes(secret)) holding.push(path);
  }
  expect(holding).toEqual([join(home.path, 'admin', 'token')]);
});

test('a folder with an instance or with parts of one is refused, and nothing in it is touched', async () => {
  await using home = await madeHome();
  const again = { home: home.path, administrator: 'mallory', ask };
  const before = await readFile(join(home.path, 'keyturn.yaml'), 'utf8');
  await expect(initInstance(again)).rejects.toMatchObject({ code: 'conflict' });
  expect(await readFile(join(home.path, 'keyturn.yaml'), 'utf8')).toBe(before);
  // As an init leaves it that was killed before its last step.
  await rm(join(home.path, 'keyturn.yaml'));
  await expect(initInstance(again)).rejects.toMatchObject({
    code: 'conflict',
    fix: expect.stringContaining('failed init'),
  });
  await expect(loadConfig(home.path)).rejects.toMatchObject({ code: 'config_invalid' });
  expect(await readdir(join(home.path, 'keys'))).toContain('keys.ktn');
});

test('a failed init leaves the folder as it was', async () => {
  await using home = await emptyHome();
  await mkdir(home.path);
  const wrong = { home: home.path, administrator: 'alice', port: 0, ask };
  // In the store's own folder one copy would hold lock and key.
  const masterKey = { file: join(home.path, 'keys', 'master.key') };
  await expect(initInstance({ ...wrong, masterKey })).rejects.toMatchObject({ code: 'keystore_insecure' });
  const origin = { origin: 'with space' };
  await expect(initInstance({ ...wrong, ...origin })).rejects.toMatchObject({ code: 'invalid_input' });
  await expect(initInstance({ ...wrong, administrator: '../x' })).rejects.toMatchObject({ code: 'invalid_input' });
  expect(await readdir(home.path)).toEqual([]);
  await initInstance(wrong);
});

test('a folder that nothing can be made in is named, with what the system said', async () => {
  // There, and as good as read-only for root as well.
  const home = '/proc/self/fdinfo';
  await expect(initInstance({ home, administrator: 'alice', port: 0, ask })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/^No instance can be made in \/proc\/self\/fdinfo: .*\/proc\/self\/fdinfo\/keys \(/),
    fix: expect.stringContaining('--home'),
  });
  await expect(initInstance({ home: '/dev/null/x', administrator: 'alice', port: 0, ask })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('/dev/null/x (a part of its path is no folder)'),
  });
});
