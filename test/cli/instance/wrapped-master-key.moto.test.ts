import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { edit } from '../../e2e/instance.ts';
import { shippedPolicy } from '../../fakes/aws/shipped-policy.ts';
import { CREDENTIALS, FakeAws, REGION } from '../../fakes/aws.ts';
import { Keyturn } from '../keyturn.ts';
import { PROCESSES_MS, useTheStore, whileServing } from './server-process.ts';

vi.setConfig({ testTimeout: PROCESSES_MS });

let aws: FakeAws;
let keyId: string;
let keyturn: Keyturn;
let environment: Record<string, string>;

beforeAll(async () => {
  aws = await FakeAws.start();
});
afterAll(() => aws[Symbol.asyncDispose]());

beforeEach(async () => {
  keyId = await aws.makeKey();
  allow('keyturn-master-key-making.json', 'keyturn-master-key.json');
  keyturn = await Keyturn.at();
  for (const secret of Object.values(CREDENTIALS).slice(1)) keyturn.guard(secret);
  environment = { AWS_REGION: REGION, AWS_ENDPOINT_URL: aws.proxy.url };
});
afterEach(() => keyturn[Symbol.asyncDispose]());

function allow(...files: readonly string[]): void {
  aws.proxy.policies = files.map((file) => shippedPolicy(file, { kmsKeyId: keyId }));
}

function init(...more: readonly string[]): string[] {
  return ['init', '--admin', 'alice', '--port', '0', '--aws-kms-key', keyId, ...more];
}

test('AWS is asked at the start alone, by the policy for that alone: the server serves while AWS is away', async () => {
  const made = await keyturn.run(init(), environment);
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining('AWS KMS is asked at each start') });
  allow('keyturn-master-key.json');
  await whileServing(keyturn, environment, async () => {
    await aws.switchKey(keyId, false);
    await useTheStore(keyturn);
  });
  expect(await keyturn.refusal(['server'], environment)).toMatchObject({
    exit: 6,
    code: 'keystore_unavailable',
    message: expect.stringContaining(`wrapped by AWS KMS ${keyId}, can't be had: The KMS key does not serve`),
    fix: expect.stringContaining('describe-key'),
  });
  await aws.switchKey(keyId, true);
  await whileServing(keyturn, environment, async () => {
    expect(await keyturn.run(['credential', 'show', 'lean/sandbox'])).toMatchObject({ code: 0 });
  });
});

test('another key, another endpoint, no permission and no region are each told, with what to do', async () => {
  expect(await keyturn.run(init(), environment)).toMatchObject({ code: 0 });
  const start = (more: Record<string, string> = {}) => keyturn.refusal(['server'], { ...environment, ...more });
  expect(await start({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })).toMatchObject({
    exit: 6,
    message: expect.stringContaining("AWS can't be reached"),
  });
  expect(await start({ AWS_REGION: '' })).toMatchObject({
    code: 'config_invalid',
    fix: expect.stringContaining('AWS_REGION'),
  });
  aws.proxy.policies = [];
  expect(await start()).toMatchObject({
    message: expect.stringContaining('denied kms:Decrypt'),
    fix: expect.stringContaining('keyturn-master-key.json'),
  });
  aws.proxy.policies = null;
  const other = await aws.makeKey();
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    keystore: { path: 'keys/keys.ktn', 'master-key': { 'aws-kms': { key: other, 'wrapped-file': 'master/wrapped' } } },
  }));
  expect(await start()).toMatchObject({ message: expect.stringContaining('another than the data was encrypted with') });
});

test('an init that AWS lets wrap but not unwrap leaves nothing behind', async () => {
  allow('keyturn-master-key-making.json');
  const elsewhere = keyturn.path('wrapped-elsewhere');
  expect(await keyturn.refusal(init('--wrapped-file', elsewhere), environment)).toMatchObject({ exit: 6 });
  expect(await readdir(keyturn.home)).toEqual([]);
  expect(existsSync(elsewhere)).toBe(false);
});

test('a rotation from a key file to AWS KMS, and on to another key', async () => {
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
  const rotate = (file: string) => [
    'store',
    'rotate-master-key',
    '--new-aws-kms-key',
    keyId,
    '--new-wrapped-file',
    keyturn.path(file),
  ];
  expect(await keyturn.run(rotate('first'), environment)).toMatchObject({ code: 0 });
  const before = keyId;
  keyId = await aws.makeKey();
  const all = ['keyturn-master-key-making.json', 'keyturn-master-key.json'];
  aws.proxy.policies = [before, keyId].flatMap((key) => all.map((file) => shippedPolicy(file, { kmsKeyId: key })));
  expect(await keyturn.run(rotate('second'), environment)).toMatchObject({ code: 0 });
  await aws.switchKey(before, false);
  expect(await keyturn.run(['store', 'verify'], environment)).toMatchObject({ code: 0 });
});

test('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
