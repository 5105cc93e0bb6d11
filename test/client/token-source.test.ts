import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
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

const OWN = `ktn_${'0f'.repeat(16)}_${'s'.repeat(43)}`;
const WHOLE = `${OWN}_${crc32(OWN).toString(16).padStart(8, '0')}`;

test('a token of ours that is cut is refused here: a server would end the lease for it', async () => {
  await expect(tokenSource(() => Buffer.from(WHOLE))()).resolves.toHaveLength(WHOLE.length);
  for (const length of [1, 4, 5, 12, 40, WHOLE.length - 9, WHOLE.length - 1]) {
    const refused = { code: 'connection_file_invalid', message: expect.stringContaining('not whole') };
    await expect(tokenSource(() => Buffer.from(WHOLE.slice(0, length)))()).rejects.toMatchObject(refused);
  }
  // One of somebody else, e.g. of Kubernetes, is sent as it is.
  await expect(tokenSource(() => Buffer.from('eyJhbGciOi.e30.c2ln'))()).resolves.toHaveLength(19);
});

/** Functions that give no token, each with what is said of it. */
const WITHOUT: Record<string, [token: () => unknown, said: RegExp]> = {
  throws: [
    () => {
      throw new Error('vault down');
    },
    /failed/,
  ],
  'is rejected': [() => Promise.reject(new Error('vault down')), /failed/],
  'gives a text': [() => TOKEN, /no Buffer/],
  'gives nothing': [() => undefined, /no Buffer/],
};

for (const [how, [without, said]] of Object.entries(WITHOUT)) {
  test(`a function that ${how} at a renewal alarms, and the lease is renewed when there is a token again`, async () => {
    await using scene = await startScene();
    let token: () => unknown = () => Buffer.from(TOKEN);
    const told = new Told();
    const { time } = scene;
    const connection = scene.keyturn.connection();
    const options = { connection, on: told.listeners, clock: time, scheduler: time, watch: false };
    await using client = await connect({ ...options, token: () => token() as Buffer });
    const credential = await client.credential(CREDENTIAL);
    token = without;
    await credential.renew();
    const [alarm] = told.of('alarm');
    expect(alarm?.['error']).toMatchObject({ code: 'connection_file_invalid', message: expect.stringMatching(said) });
    expect(credential.status().state).toBe('live');
    token = () => Buffer.from(TOKEN);
    time.advance(1_000);
    await told.until('renewed');
    token = without;
    await credential.close();
  });
}

test('a function that is rejected leaves its error as the cause, for people', async () => {
  const cause = new Error('vault down');
  await expect(tokenSource(() => Promise.reject(cause))()).rejects.toMatchObject({ cause });
});

test('a token that never comes costs one time limit, and is wiped when it comes after all', async () => {
  await using scene = await startScene();
  const late = Promise.withResolvers<Buffer>();
  const told = new Told();
  const tokens = [Buffer.from(TOKEN), late.promise];
  const { time } = scene;
  const options = { on: told.listeners, clock: time, scheduler: time, watch: false };
  const token = () => tokens.shift() ?? Buffer.from(TOKEN);
  await using client = await connect({ ...options, connection: scene.keyturn.connection(), token });
  const credential = await client.credential(CREDENTIAL);
  const renewal = credential.renew();
  await expect.poll(() => tokens.length).toBe(0);
  time.advance(5_000);
  await renewal;
  expect(told.codes('alarm')).toEqual(['connection_file_invalid']);
  const octets = Buffer.from(TOKEN);
  late.resolve(octets);
  await expect.poll(() => octets.every((octet) => octet === 0)).toBe(true);
  time.advance(1_000);
  await told.until('renewed');
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
