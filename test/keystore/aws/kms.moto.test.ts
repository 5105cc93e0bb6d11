import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { generateKmsMasterKey, type KmsMasterKeyOptions, kmsMasterKey } from '../../../src/keystore/aws/kms.ts';
import { createFileStore, openFileStore } from '../../../src/keystore/file/file-store.ts';
import { losingAnswers } from '../../fakes/aws/fault.ts';
import { shippedPolicy } from '../../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../fakes/aws.ts';
import { temporaryFolder } from '../file/temporary-store.ts';
import { outcome } from './stage.ts';

let aws: FakeAws;
let options: KmsMasterKeyOptions;
beforeAll(async () => {
  aws = await FakeAws.start();
});
afterAll(() => aws[Symbol.asyncDispose]());
beforeEach(async () => {
  const keyId = await aws.makeKey();
  options = { ...aws.connection, keyId, wrappedFile: join(temporaryFolder(), 'master.wrapped'), store: 'keys.ktn' };
  aws.proxy.faults = () => null;
  aws.proxy.policies = ['keyturn-master-key-making.json', 'keyturn-master-key.json'].map((file) =>
    shippedPolicy(file, { kmsKeyId: keyId }),
  );
});

it('a key store file opens with a master key that only AWS KMS unwraps', async () => {
  const master = await generateKmsMasterKey(options);
  const path = join(temporaryFolder(), 'keys.ktn');
  const made = await createFileStore({ path, master });
  using octets = SecretBytes.copyOf(Buffer.from('content'));
  await made.write('a/b', octets);
  await made.close();
  const opened = await openFileStore({ path, master: kmsMasterKey(options) });
  using standing = await opened.read('a/b');
  expect(standing?.equals(octets)).toBe(true);
  await opened.close();
  expect(statSync(options.wrappedFile).mode & 0o777).toBe(0o600);
  expect(master.description).toContain('wrapped by AWS KMS');
});

it('the key is made without being seen: no answer of AWS holds it before it is unwrapped', async () => {
  const before = aws.proxy.calls.length;
  const master = await generateKmsMasterKey(options);
  expect(aws.proxy.calls.slice(before).map(({ action }) => action)).toEqual(['kms:GenerateDataKeyWithoutPlaintext']);
  using first = await master.read();
  using second = await master.read();
  expect(first.length).toBe(32);
  expect(first.equals(second)).toBe(true);
  expect(readFileSync(options.wrappedFile).includes(first.bytes)).toBe(false);
});

it('it opens neither for another store, nor under another key, nor when it was changed', async () => {
  await generateKmsMasterKey(options);
  expect(await outcome(kmsMasterKey({ ...options, store: 'other.ktn' }).read())).toBe('keystore_unavailable kms');
  const keyId = await aws.makeKey();
  aws.proxy.policies = null;
  expect(await outcome(kmsMasterKey({ ...options, keyId }).read())).toBe('keystore_unavailable kms');
  for (const [text, expected] of [
    ['', 'master_key_wrong'],
    ['not base64!', 'master_key_wrong'],
    ['AAAA\n', 'keystore_unavailable kms'],
  ] as const) {
    writeFileSync(options.wrappedFile, text);
    expect(await outcome(kmsMasterKey(options).read())).toBe(expected);
  }
});

it('a key that is disabled, gone or not ours to use is named as such', async () => {
  const master = await generateKmsMasterKey(options);
  await aws.switchKey(options.keyId, false);
  expect(await outcome(master.read())).toBe('keystore_unavailable kms');
  await aws.switchKey(options.keyId, true);
  const keyId = options.keyId.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  aws.proxy.policies = null;
  expect(await outcome(kmsMasterKey({ ...options, keyId }).read())).toBe('keystore_unavailable kms');
  aws.proxy.policies = [];
  await expect(master.read()).rejects.toMatchObject({
    facts: { reason: 'forbidden', action: 'kms:Decrypt' },
    fix: expect.stringContaining('keyturn-master-key.json'),
  });
  await expect(generateKmsMasterKey({ ...options, wrappedFile: `${options.wrappedFile}2` })).rejects.toMatchObject({
    facts: { reason: 'forbidden', action: 'kms:GenerateDataKeyWithoutPlaintext' },
  });
});

it('the policies grant the master key alone: no other purpose, no other key, no making where unwrapping is enough', async () => {
  const master = await generateKmsMasterKey(options);
  aws.proxy.policies = [shippedPolicy('keyturn-master-key.json', { kmsKeyId: options.keyId })];
  (await master.read()).dispose();
  expect(await outcome(generateKmsMasterKey({ ...options, wrappedFile: `${options.wrappedFile}2` }))).toBe(
    'keystore_unavailable forbidden',
  );
  const other = await aws.makeKey();
  expect(await outcome(kmsMasterKey({ ...options, keyId: other }).read())).toBe('keystore_unavailable forbidden');
});

it('no file is overwritten, and none is made when AWS did not answer', async () => {
  await generateKmsMasterKey(options);
  expect(await outcome(generateKmsMasterKey(options))).toBe('conflict');
  aws.proxy.faults = () => losingAnswers;
  const wrappedFile = `${options.wrappedFile}2`;
  expect(await outcome(generateKmsMasterKey({ ...options, wrappedFile }))).toBe('keystore_unavailable lost');
  expect(() => statSync(wrappedFile)).toThrow();
  chmodSync(options.wrappedFile, 0o644);
  expect(await outcome(kmsMasterKey(options).read())).toBe('keystore_insecure');
});

it('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
