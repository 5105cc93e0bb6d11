import { chmod, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { fileSource } from '../../src/tls/file-source.ts';
import type { Validity } from '../../src/tls/server-identity.ts';
import { daysFromNow, type Issued, TestCa } from '../fakes/ca.ts';

const NOW = Date.now();
const IN_FORCE: Validity = { notBefore: 0, notAfter: NOW };
let folder: string;
let paths: { certificate: string; key: string };
let ca: TestCa;
let one: Issued;
let two: Issued;

beforeAll(async () => {
  ca = await TestCa.create();
  one = await ca.server();
  two = await ca.server();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-tls-'));
  paths = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  await put(one);
});

afterEach(() => rm(folder, { recursive: true }));

async function put(issued: Issued): Promise<void> {
  await replace(paths.certificate, issued.certificatePem, 0o644);
  await replace(paths.key, issued.keyPem, 0o600);
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  await writeFile(`${path}.new`, text, { mode });
  await rename(`${path}.new`, path);
}

test('the pair is read at first, again when it changed, and not in between', async () => {
  const source = fileSource(paths);
  const first = await source.due(null, NOW);
  expect(first?.certificatePem).toBe(one.certificatePem);
  expect(first?.privateKeyPem.bytes.toString()).toBe(one.keyPem);
  expect(first?.notAfter).toBe(one.certificate.notAfter.getTime());
  expect(await source.due(IN_FORCE, NOW)).toBeNull();

  await put(two);
  expect((await source.due(IN_FORCE, NOW))?.certificatePem).toBe(two.certificatePem);
  expect(await source.due(IN_FORCE, NOW)).toBeNull();
});

test('half a change is refused, and the whole pair is taken once it is there', async () => {
  const source = fileSource(paths);
  await source.due(null, NOW);
  await replace(paths.certificate, two.certificatePem, 0o644);
  await expect(source.due(IN_FORCE, NOW)).rejects.toMatchObject({ code: 'key_mismatch' });
  await expect(source.due(IN_FORCE, NOW)).rejects.toMatchObject({ code: 'key_mismatch' });
  await replace(paths.key, two.keyPem, 0o600);
  expect((await source.due(IN_FORCE, NOW))?.certificatePem).toBe(two.certificatePem);
});

test.each([0o644, 0o604, 0o620, 0o601])('a key file with mode %o is refused', async (mode) => {
  await chmod(paths.key, mode);
  await expect(fileSource(paths).due(null, NOW)).rejects.toMatchObject({ code: 'config_invalid' });
});

test('a key file that its group may read is taken, through a symbolic link too', async () => {
  await chmod(paths.key, 0o640);
  await symlink(paths.key, join(folder, 'link.key'));
  const source = fileSource({ ...paths, key: join(folder, 'link.key') });
  expect((await source.due(null, NOW))?.certificatePem).toBe(one.certificatePem);
});

test('what cannot serve is refused by name: absent, empty, huge, unreadable, expired', async () => {
  const refusal = async (code: string) => expect(fileSource(paths).due(null, NOW)).rejects.toMatchObject({ code });
  await replace(paths.key, '-----BEGIN NOTHING-----', 0o600);
  await refusal('key_unreadable');
  await replace(paths.certificate, 'no certificate', 0o644);
  await refusal('certificate_unreadable');
  const expired = await ca.server({ notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) });
  await put(expired);
  await refusal('certificate_expired');
  await replace(paths.certificate, '', 0o644);
  await refusal('config_invalid');
  await replace(paths.certificate, 'x'.repeat(65 * 1024), 0o644);
  await refusal('config_invalid');
  await rm(paths.certificate);
  await refusal('config_invalid');
});

test('an error about a key names the file and nothing that stands in it', async () => {
  await replace(paths.key, one.keyPem.slice(0, 120), 0o600);
  const error: unknown = await fileSource(paths)
    .due(null, NOW)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'key_unreadable' });
  expect(error).not.toHaveProperty('cause');
  expect(String(error)).not.toContain(one.keyPem.split('\n')[1]!.slice(0, 16));
});
