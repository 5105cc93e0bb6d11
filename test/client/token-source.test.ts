import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { tokenSource } from '../../src/client/token-source.ts';
import { CREDENTIAL, TOKEN } from '../fakes/keyturn-server.ts';
import { startScene, Told } from './setup.ts';

test('the file is read anew for every call, without its line end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-token-'));
  const path = join(folder, 'token');
  const source = tokenSource(path);
  await writeFile(path, 'first\r\n');
  expect((await source()).toString()).toBe('first');
  await writeFile(path, 'second');
  expect((await source()).toString()).toBe('second');
  await rm(folder, { recursive: true });
  await expect(source()).rejects.toMatchObject({ code: 'connection_file_invalid' });
});

test('a token that could split a header is refused, and never quoted', async () => {
  for (const token of ['', '\n', 'secret two', 'secret\r\nx-injected: 1', 'sécret', 's'.repeat(8_193)]) {
    const refused = { code: 'connection_file_invalid', message: expect.not.stringContaining('secret') };
    await expect(tokenSource(() => Buffer.from(token))()).rejects.toMatchObject(refused);
  }
});

test('the Buffer that the application gave is wiped after use', async () => {
  await using scene = await startScene();
  const given: Buffer[] = [];
  const token = () => given[given.push(Buffer.from(TOKEN)) - 1]!;
  await using client = await connect({ connection: scene.keyturn.connection(), token });
  await client.credential(CREDENTIAL);
  expect(given.map((octets) => octets.every((octet) => octet === 0))).toEqual([true]);
});

test('a token file that others can read is warned of, once', async () => {
  await using scene = await startScene();
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-token-'));
  const path = join(folder, 'token');
  await writeFile(path, TOKEN);
  for (const [mode, warnings] of [
    [0o600, 0],
    [0o640, 1],
    [0o604, 1],
  ] as const) {
    await chmod(path, mode);
    const told = new Told();
    await using client = await connect({ connection: scene.keyturn.connection(), token: path, on: told.listeners });
    await client.credential(CREDENTIAL);
    expect(told.of('warning')).toHaveLength(warnings);
  }
  await rm(folder, { recursive: true });
});
