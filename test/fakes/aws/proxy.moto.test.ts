import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { FakeAws, REGION } from '../aws.ts';
import { CORRECTIONS } from './corrections.ts';
import { losingAnswers, refusing } from './fault.ts';
import { denial } from './iam.ts';
import { ACCOUNT, parseCall } from './protocol.ts';

let aws: FakeAws;
let sdk: SecretsManagerClient;
let at = 0;
beforeAll(async () => {
  aws = await FakeAws.start();
  sdk = new SecretsManagerClient({ region: REGION, endpoint: aws.proxy.url, maxAttempts: 1 });
});
afterAll(async () => {
  sdk.destroy();
  await aws[Symbol.asyncDispose]();
});
beforeEach(() => {
  Object.assign(aws.proxy, { policies: null, faults: () => null });
  at += 1;
});

const TOKEN = 'a'.repeat(64);
const name = () => `proxy/${at}`;
const create = (more = {}) =>
  sdk.send(new CreateSecretCommand({ Name: name(), SecretString: 'x', ClientRequestToken: TOKEN, ...more }));
const refusedWith = (type: string) => expect.objectContaining({ name: type });

it('a secret has 1 to 65,536 octets', async () => {
  for (const length of [0, 65_537]) {
    const more = { SecretString: undefined, SecretBinary: Buffer.alloc(length) };
    await expect(create(more)).rejects.toEqual(refusedWith('ValidationException'));
  }
  await create({ SecretString: undefined, SecretBinary: Buffer.alloc(65_536) });
});

it('a token used again with another value is refused, with the same value it is the same call', async () => {
  await create();
  await create();
  await expect(create({ SecretString: 'y' })).rejects.toEqual(refusedWith('ResourceExistsException'));
  const put = (SecretString: string) =>
    sdk.send(new PutSecretValueCommand({ SecretId: name(), SecretString, ClientRequestToken: TOKEN }));
  await put('x');
  await expect(put('y')).rejects.toEqual(refusedWith('ResourceExistsException'));
  expect(await sdk.send(new GetSecretValueCommand({ SecretId: name() }))).toMatchObject({ SecretString: 'x' });
});

it('a name scheduled for deletion is not free', async () => {
  await create();
  await aws.ask('secretsmanager:DeleteSecret', { SecretId: name(), RecoveryWindowInDays: 7 });
  await expect(create()).rejects.toEqual(refusedWith('InvalidRequestException'));
});

it('without a version, the current one is given, also after labels moved', async () => {
  await create();
  const second = 'b'.repeat(64);
  await aws.ask('secretsmanager:PutSecretValue', { SecretId: name(), SecretString: 'y', ClientRequestToken: second });
  const label = { SecretId: name(), VersionStage: 'AWSCURRENT', MoveToVersionId: TOKEN, RemoveFromVersionId: second };
  await aws.ask('secretsmanager:UpdateSecretVersionStage', label);
  expect(await sdk.send(new GetSecretValueCommand({ SecretId: name() }))).toMatchObject({ SecretString: 'x' });
});

it('a KMS key that is disabled or unknown serves neither for writing nor for reading', async () => {
  const KmsKeyId = await aws.makeKey();
  await expect(create({ KmsKeyId: KmsKeyId.replace(/.{4}$/, 'ffff') })).rejects.toEqual(
    refusedWith('EncryptionFailure'),
  );
  await create({ KmsKeyId });
  await aws.switchKey(KmsKeyId, false);
  const get = sdk.send(new GetSecretValueCommand({ SecretId: name() }));
  await expect(get).rejects.toEqual(refusedWith('DecryptionFailure'));
  at += 1;
  await expect(create({ KmsKeyId })).rejects.toEqual(refusedWith('EncryptionFailure'));
});

it('every correction of Secrets Manager was needed above; those of KMS are in the tests of the master key', () => {
  const own = CORRECTIONS.filter(({ actions }) => actions.some((action) => action.startsWith('secretsmanager:')));
  expect([...aws.proxy.corrected].sort()).toEqual(own.map(({ name: each }) => each).sort());
});

it('a principal without policies is denied in JSON that the SDK reads', async () => {
  aws.proxy.policies = [];
  await expect(create()).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message: expect.stringContaining('secretsmanager:CreateSecret'),
  });
});

it('resources and conditions are judged', async () => {
  const call = (SecretId: string) =>
    parseCall(
      { 'x-amz-target': 'secretsmanager.GetSecretValue', authorization: `Credential=a/20260101/${REGION}/x` },
      Buffer.from(JSON.stringify({ SecretId, VersionId: TOKEN })),
    );
  const policy = (Condition: object) => ({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'secretsmanager:GetSecretValue',
        Resource: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:proxy/*`,
        Condition,
      },
    ],
  });
  const ask = async () => null;
  const is = (VersionId: string) => ({ StringEquals: { 'secretsmanager:VersionId': VersionId } });
  expect(await denial([policy(is(TOKEN))], call('proxy/x'), ask)).toBeNull();
  expect(await denial([policy(is('b'))], call('proxy/x'), ask)).toMatchObject({ type: 'AccessDeniedException' });
  expect(await denial([policy(is(TOKEN))], call('other/x'), ask)).toMatchObject({ type: 'AccessDeniedException' });
});

it('a policy that is wrong in itself is an error of the test, not a denial', async () => {
  const broken = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'secretsmanager:GetSecretValue' }] };
  const input = Buffer.from('{"SecretId":"a"}');
  const call = parseCall({ 'x-amz-target': 'secretsmanager.GetSecretValue' }, input);
  await expect(denial([broken], call, async () => null)).rejects.toThrow('The simulator refuses');
});

it('a lost answer has happened, a refusal has not', async () => {
  aws.proxy.faults = () => refusing({ type: 'InternalFailure', message: '', status: 500 });
  await expect(create()).rejects.toEqual(refusedWith('InternalFailure'));
  expect(await aws.versions(name())).toBe(0);
  aws.proxy.faults = () => losingAnswers;
  await expect(create()).rejects.toThrow();
  expect(await aws.versions(name())).toBe(1);
});

it('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
