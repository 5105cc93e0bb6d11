import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConnectionFile, parseConnection, readConnection } from '../../src/client/connection-file.ts';
import { isKeyturnError } from '../../src/core/errors.ts';
import { TestCa } from '../fakes/ca.ts';
import { FakeLog } from '../fakes/keyturn-server.ts';

let good: ConnectionFile;
let folder: string;

beforeAll(async () => {
  const ca = (await TestCa.create()).certificatePem;
  const log = { origin: 'keyturn.test/log', keys: [new FakeLog().vkey] };
  good = { keyturn: 1, servers: ['https://keyturn.internal:8443', 'https://[::1]:1'], ca, log };
  folder = await mkdtemp(join(tmpdir(), 'keyturn-connection-'));
});

afterAll(() => rm(folder, { recursive: true }));

test('a good file is read, from a path and as an object', async () => {
  const path = join(folder, 'connection.json');
  await writeFile(path, JSON.stringify(good));
  for (const source of [path, good]) {
    const { servers, ca, log } = await readConnection(source);
    expect([servers.map(({ href }) => href), ca, log.origin]).toEqual([
      ['https://keyturn.internal:8443/', 'https://[::1]:1/'],
      good.ca,
      'keyturn.test/log',
    ]);
  }
});

test('anything else than the format is refused, saying what and what to do, and quoting nothing', () => {
  const wrong: unknown[] = [
    null,
    [],
    {},
    { ...good, keyturn: 2 },
    { ...good, token: 'secret' },
    { ...good, servers: [] },
    { ...good, servers: 'https://keyturn.internal' },
    { ...good, servers: ['http://keyturn.internal'] },
    { ...good, servers: ['https://user:secret@keyturn.internal'] },
    { ...good, servers: ['https://keyturn.internal/path'] },
    { ...good, servers: ['https://keyturn.internal?q=secret'] },
    { ...good, servers: Array(17).fill('https://keyturn.internal') },
    { ...good, ca: '' },
    { ...good, ca: 'secret' },
    { ...good, ca: `${good.ca}-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n` },
    { ...good, ca: '-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n' },
    { ...good, log: { ...good.log, keys: [] } },
    { ...good, log: { ...good.log, keys: ['secret'] } },
    { ...good, log: { ...good.log, origin: 'another.example/log' } },
    { ...good, log: { ...good.log, more: 1 } },
  ];
  for (const value of wrong) {
    const refused = expect.objectContaining({
      code: 'connection_file_invalid',
      message: expect.not.stringContaining('secret'),
      fix: expect.stringContaining('keyturn token create'),
    });
    expect(() => parseConnection(value)).toThrow(refused);
  }
});

test('no input makes the parser fail in another way', () => {
  const record = fc.record({ keyturn: fc.constant(1), servers: fc.jsonValue(), ca: fc.string(), log: fc.jsonValue() });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), record), (value) => {
      try {
        parseConnection(value);
      } catch (error) {
        expect(isKeyturnError(error, 'connection_file_invalid')).toBe(true);
      }
    }),
  );
});

test('a file that is missing or no JSON is named, its content is not', async () => {
  const path = join(folder, 'broken.json');
  await writeFile(path, '{"servers": secret');
  await expect(readConnection(path)).rejects.toMatchObject({
    message: expect.stringContaining('broken.json is not JSON'),
  });
  await expect(readConnection(join(folder, 'none'))).rejects.toMatchObject({
    message: expect.stringContaining('ENOENT'),
  });
});
