import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AwsStore } from '../../../src/keystore/aws/driver.ts';
import { versionId } from '../../../src/keystore/aws/secret-name.ts';
import { delaying, refusing } from '../../fakes/aws/fault.ts';
import type { Policy } from '../../fakes/aws/iam.ts';
import { shippedPolicy } from '../../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../fakes/aws.ts';
import { get, outcome, put, stageOn } from './stage.ts';

let aws: FakeAws;
beforeAll(async () => {
  aws = await FakeAws.start();
});
afterAll(() => aws[Symbol.asyncDispose]());

const RECORD = 'versions/lean/sandbox/1';

it('a record is one secret with one version whose id every reader knows, marked for people', async () => {
  const { prefix, store } = await stageOn(aws, { tags: { team: 'payments' } });
  await put(store, RECORD, 'content');
  await put(store, RECORD, 'content');
  const name = `${prefix}/${RECORD}`;
  expect(await outcome(put(store, RECORD, 'other'))).toBe('keystore_conflict');
  expect(await aws.versions(name)).toBe(1);
  const secret = await aws.ask('secretsmanager:DescribeSecret', { SecretId: name });
  expect(Object.keys(secret?.['VersionIdsToStages'] ?? {})).toEqual([versionId(name)]);
  expect(secret?.['Tags']).toEqual([
    { Key: 'keyturn:store', Value: prefix },
    { Key: 'keyturn:record', Value: RECORD },
    { Key: 'team', Value: 'payments' },
  ]);
});

it('what others put into a secret is not taken for ours', async () => {
  const { prefix, store } = await stageOn(aws);
  await put(store, RECORD, 'content');
  const SecretBinary = Buffer.from('theirs').toString('base64');
  await aws.ask('secretsmanager:PutSecretValue', { SecretId: `${prefix}/${RECORD}`, SecretBinary });
  expect(await get(store, RECORD)).toBe('content');
  await aws.ask('secretsmanager:CreateSecret', { Name: `${prefix}/a/foreign`, SecretBinary });
  expect(await outcome(get(store, 'a/foreign'))).toBe('keystore_conflict');
  expect(await outcome(put(store, 'a/foreign', 'theirs'))).toBe('keystore_conflict');
  const ClientRequestToken = versionId(`${prefix}/a/text`);
  await aws.ask('secretsmanager:CreateSecret', {
    Name: `${prefix}/a/text`,
    SecretString: 'theirs',
    ClientRequestToken,
  });
  expect(await outcome(get(store, 'a/text'))).toBe('keystore_conflict');
});

it('tags are never read: a record with others, or none, is the same record', async () => {
  const { prefix, store } = await stageOn(aws);
  await put(store, RECORD, 'content');
  const TagKeys = ['keyturn:store', 'keyturn:record'];
  await aws.ask('secretsmanager:UntagResource', { SecretId: `${prefix}/${RECORD}`, TagKeys });
  expect(await get(store, RECORD)).toBe('content');
  expect(await store.list()).toEqual([RECORD]);
});

it('the list goes on over pages, and holds nothing of other prefixes or forms', async () => {
  const { prefix, store } = await stageOn(aws);
  const records = Array.from({ length: 230 }, (_, index) => `versions/a/b/${index}`);
  const others = [`${prefix}x/versions/a`, `x/${prefix}/a/b`, `${prefix}/Upper/Case`, `${prefix}/single`, prefix];
  for (const Name of [...records.map((record) => `${prefix}/${record}`), ...others]) {
    await aws.ask('secretsmanager:CreateSecret', { Name, SecretString: 'x' });
  }
  expect((await store.list()).sort()).toEqual(records.sort());
});

it('a customer key encrypts; disabled, it keeps records from being written or read, and says which key matters', async () => {
  const kmsKeyId = await aws.makeKey();
  const { prefix, store, open } = await stageOn(aws, { kmsKeyId });
  await put(store, RECORD, 'content');
  const secret = await aws.ask('secretsmanager:DescribeSecret', { SecretId: `${prefix}/${RECORD}` });
  expect(secret?.['KmsKeyId']).toBe(kmsKeyId);
  await aws.switchKey(kmsKeyId, false);
  expect(await outcome(get(store, RECORD))).toBe('keystore_unavailable kms');
  expect(await outcome(put(store, 'a/b', 'x'))).toBe('keystore_unavailable kms');
  await aws.switchKey(kmsKeyId, true);
  expect(await get(store, RECORD)).toBe('content');
  const other = await open({ kmsKeyId: kmsKeyId.replace(/.{4}$/, 'ffff') });
  expect(await outcome(put(other, 'a/b', 'x'))).toBe('keystore_unavailable kms');
});

it('with immediate deletion nothing is left to restore', async () => {
  const { prefix, store } = await stageOn(aws);
  await put(store, RECORD, 'content');
  await store.destroy(RECORD);
  expect(await aws.ask('secretsmanager:RestoreSecret', { SecretId: `${prefix}/${RECORD}` })).toBeNull();
});

it('within its recovery window a destroyed record is absent, can be destroyed again, and is not written anew', async () => {
  const { prefix, store, open } = await stageOn(aws, { deletion: 7 });
  expect(store.description).toContain('restorable for 7 days');
  await put(store, RECORD, 'content');
  await store.destroy(RECORD);
  await store.destroy(RECORD);
  await store.destroy('versions/never/there/1');
  expect(await get(store, RECORD)).toBeNull();
  expect(await store.list()).toEqual([]);
  await expect(put(store, RECORD, 'content')).rejects.toMatchObject({
    code: 'keystore_conflict',
    message: expect.stringContaining('scheduled for deletion'),
  });
  await aws.ask('secretsmanager:RestoreSecret', { SecretId: `${prefix}/${RECORD}` });
  expect(await get(store, RECORD)).toBe('content');
  await store.destroy(RECORD);
  await (await open({ deletion: 'immediate' })).destroy(RECORD);
  expect(await aws.ask('secretsmanager:DescribeSecret', { SecretId: `${prefix}/${RECORD}` })).toBeNull();
});

describe('a name whose secret is in its recovery window', () => {
  const INSTANCE = 'keyturn.example/main';
  const refusal = (store: AwsStore) =>
    put(store, RECORD, 'content').then(
      () => 'written',
      (error: { code: string; message: string; fix: string }) => `${error.code}: ${error.message} ${error.fix}`,
    );

  it('of a record of this instance says so, with what brings it back', async () => {
    const kmsKeyId = await aws.makeKey();
    const { store, prefix } = await stageOn(aws, { deletion: 7, instance: INSTANCE, kmsKeyId });
    await put(store, RECORD, 'content');
    await store.destroy(RECORD);
    aws.proxy.policies = [shippedPolicy('keyturn.json', { prefix, kmsKeyId })];
    const said = await refusal(store);
    const of = `--secret-id ${prefix}/${RECORD} --region eu-central-1`;
    expect(said).toMatch(
      /^keystore_conflict: .*scheduled for deletion \(\d{4}-\d\d-\d\d\).*: this instance wrote it\. /,
    );
    expect(said).toContain(`bring it back and try again: aws secretsmanager restore-secret ${of}.`);
    expect(said).toContain(
      `for good: aws secretsmanager restore-secret ${of} && aws secretsmanager delete-secret --force-delete-without-recovery ${of}`,
    );
    aws.proxy.policies = null;
    await aws.ask('secretsmanager:RestoreSecret', { SecretId: `${prefix}/${RECORD}` });
    expect(await refusal(store)).toBe('written');
  });

  it('of another instance, or of one that left no name, says so', async () => {
    const { open } = await stageOn(aws, { deletion: 7 });
    const other = await open({ instance: 'keyturn.example/other' });
    await put(other, RECORD, 'content');
    await other.destroy(RECORD);
    const own = await open({ instance: INSTANCE });
    expect(await refusal(own)).toMatch(
      /Keyturn keyturn\.example\/other wrote it, which is another instance.*prefix of its own/,
    );
    const { open: opens, store: nameless } = await stageOn(aws, { deletion: 7 });
    await put(nameless, RECORD, 'content');
    await nameless.destroy(RECORD);
    expect(await refusal(await opens({ instance: INSTANCE }))).toContain('a Keyturn wrote it');
  });

  it('of somebody else says so, whatever its tags say', async () => {
    const { prefix, store } = await stageOn(aws, { deletion: 7, instance: INSTANCE });
    const SecretId = `${prefix}/${RECORD}`;
    const Tags = [{ Key: 'keyturn:instance', Value: INSTANCE }];
    await aws.ask('secretsmanager:CreateSecret', { Name: SecretId, SecretString: 'x', Tags });
    await aws.ask('secretsmanager:DeleteSecret', { SecretId, RecoveryWindowInDays: 7 });
    const said = await refusal(store);
    expect(said).toContain('somebody else wrote it, not Keyturn');
    expect(said).toContain(`See whose it is: aws secretsmanager describe-secret --secret-id ${SecretId}`);
  });

  it('that may not be described is told without', async () => {
    const kmsKeyId = await aws.makeKey();
    const { prefix, store } = await stageOn(aws, { deletion: 7, instance: INSTANCE, kmsKeyId });
    await put(store, RECORD, 'content');
    await store.destroy(RECORD);
    const text = JSON.stringify(shippedPolicy('keyturn.json', { prefix, kmsKeyId }));
    aws.proxy.policies = [
      JSON.parse(text.replace('"secretsmanager:DescribeSecret"', '"secretsmanager:Nothing"')) as Policy,
    ];
    expect(await refusal(store)).toMatch(/^keystore_conflict: .* is scheduled for deletion\. Wait until/);
    aws.proxy.policies = null;
  });
});

it('a name that AWS is still removing is taken as soon as it is free', async () => {
  const { store } = await stageOn(aws);
  const message = "You can't create this secret because a secret with this name is already scheduled for deletion.";
  aws.proxy.faults = ({ operation }, nth) =>
    operation === 'CreateSecret' && nth === 1 ? refusing({ type: 'InvalidRequestException', message }) : null;
  await put(store, RECORD, 'content');
  expect(await get(store, RECORD)).toBe('content');
});

it('what AWS takes but does not show at once is waited for', async () => {
  const { store } = await stageOn(aws);
  let hidden = 2;
  aws.proxy.faults = ({ operation }) =>
    operation === 'GetSecretValue' && hidden-- > 0
      ? refusing({ type: 'ResourceNotFoundException', message: '' })
      : null;
  await put(store, RECORD, 'content');
  expect(hidden).toBeLessThan(0);
});

it('replicas are made with the record and removed before it', async () => {
  const { prefix, store } = await stageOn(aws, { replicas: [{ region: 'eu-west-1' }] });
  await put(store, RECORD, 'content');
  const input = { SecretId: `${prefix}/${RECORD}` };
  expect(await aws.ask('secretsmanager:DescribeSecret', input, 'eu-west-1')).not.toBeNull();
  await store.destroy(RECORD);
  expect(await aws.ask('secretsmanager:DescribeSecret', input, 'eu-west-1')).toBeNull();
  expect(await aws.ask('secretsmanager:DescribeSecret', input)).toBeNull();
});

it('the store opens while AWS is down, says so, and works once it is back', async () => {
  const { store } = await stageOn(aws);
  aws.proxy.faults = () => refusing({ type: 'InternalFailure', message: '', status: 503 });
  const { ready, detail } = await store.health();
  expect(ready).toBe(false);
  expect(detail).toContain('AWS failed');
  aws.proxy.faults = () => null;
  expect(await store.health()).toEqual({ ready: true, detail: '' });
});

it('is ready before an AWS that is slow, as long as an attempt waits for an answer', async () => {
  const { store, open } = await stageOn(aws);
  aws.proxy.faults = () => delaying(1_500);
  expect(await store.health()).toEqual({ ready: true, detail: '' });
  const hasty = await open({ attemptMs: 300 });
  expect(await hasty.health()).toMatchObject({ ready: false, detail: expect.stringContaining('in time') });
});

it('after five failures AWS is left alone for a while, and tried again afterwards', async () => {
  const seen: string[] = [];
  const { store } = await stageOn(aws, { attempts: 1, breakMs: 50, onCircuit: (circuit) => seen.push(circuit) });
  aws.proxy.faults = () => refusing({ type: 'InternalFailure', message: '', status: 500 });
  for (let failures = 0; failures < 5; failures += 1) {
    expect(await outcome(store.list())).toBe('keystore_unavailable server_error');
  }
  const before = aws.proxy.calls.length;
  expect(await outcome(store.list())).toBe('keystore_unavailable circuit_open');
  expect([store.circuit, aws.proxy.calls.length]).toEqual(['open', before]);
  aws.proxy.faults = () => null;
  await expect.poll(() => outcome(store.list()), { timeout: 5_000 }).toBe('done');
  expect([store.circuit, seen]).toEqual(['closed', ['open', 'half-open', 'closed']]);
});

it('a denial opens no circuit', async () => {
  const { store } = await stageOn(aws);
  aws.proxy.policies = [];
  for (let asked = 0; asked < 7; asked += 1) expect(await outcome(store.list())).toBe('keystore_unavailable forbidden');
  expect(store.circuit).toBe('closed');
});

it('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
