import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Check } from '../../../../src/core/check.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { openAwsStore } from '../../../../src/keystore/aws/aws-store.ts';
import { examineAws, examineKms } from '../../../../src/keystore/aws/examine/examine.ts';
import { generateKmsMasterKey } from '../../../../src/keystore/aws/kms.ts';
import type { AwsStoreOptions } from '../../../../src/keystore/aws/options.ts';
import { KeyStore } from '../../../../src/keystore/keystore.ts';
import { tryRecord } from '../../../../src/keystore/probe-record.ts';
import { answering, type FaultPlan, refusing, send } from '../../../fakes/aws/fault.ts';
import type { Policy } from '../../../fakes/aws/iam.ts';
import { shippedPolicy } from '../../../fakes/aws/shipped-policy.ts';
import { CREDENTIALS, FakeAws, REGION } from '../../../fakes/aws.ts';
import { folderWith } from '../../../fakes/programs.ts';

let aws: FakeAws;
let kmsKeyId: string;
let prefix: string;

beforeAll(async () => {
  aws = await FakeAws.start();
  kmsKeyId = await aws.makeKey();
});
afterAll(() => aws[Symbol.asyncDispose]());
beforeEach(() => {
  prefix = `stage-${randomUUID()}`;
  aws.proxy.faults = () => null;
  aws.proxy.policies = [shippedPolicy('keyturn.json', { prefix, kmsKeyId })];
  vi.unstubAllEnvs();
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', aws.proxy.url);
});

function store(options: AwsStoreOptions = {}): AwsStoreOptions {
  return { ...aws.connection, prefix, kmsKeyId, attempts: 2, ...options };
}

async function examined(options: AwsStoreOptions): Promise<Check[]> {
  return wellFormed(await examineAws(options));
}

function wellFormed(found: Check[]): Check[] {
  const told = JSON.stringify(found);
  for (const secret of Object.values(CREDENTIALS)) expect(told).not.toContain(secret);
  for (const { verdict, evidence, fix } of found) {
    expect(evidence).toMatch(/\S/);
    expect(fix === '').toBe(verdict === 'ok');
    expect(`${evidence}${fix}`).not.toContain('\n');
  }
  return found;
}

/** What is not well, but that the emulator has no TLS. */
async function complaints(options: AwsStoreOptions): Promise<Check[]> {
  return (await examined(options)).filter(({ name, verdict }) => verdict !== 'ok' && name !== 'TLS');
}

const told = (verdict: Check['verdict'], name: string, evidence: string | RegExp, fix: string | RegExp) => [
  { name, verdict, evidence: expect.stringMatching(evidence), fix: expect.stringMatching(fix) },
];
const always =
  (type: string, message = ''): FaultPlan =>
  () =>
    refusing({ type, message });

it('a store that works is well in every respect but the emulator’s plain http, and nothing was written', async () => {
  const found = await examined(store());
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['settings', 'ok'],
    ['TLS', 'attention'],
    ['service', 'ok'],
    ['policy', 'ok'],
    ['KMS key', 'ok'],
    ['records', 'ok'],
  ]);
  const all = found.map(({ evidence }) => evidence).join('\n');
  for (const part of [REGION, 'keyturn.yaml', 'env vars', '--write-test', `0 under ${prefix}/ in ${REGION}`]) {
    expect(all).toContain(part);
  }
  const changing = aws.proxy.calls.filter(({ operation }) => /^(?:Create|Delete|Put|Update)/.test(operation));
  expect(changing.filter((call) => call.prefix === prefix)).toEqual([]);
});

describe('where and who', () => {
  it('no region', async () => {
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    const found = await examineAws({ prefix, endpoint: aws.proxy.url });
    expect(found).toEqual(told('broken', 'settings', 'No AWS region', 'export AWS_REGION=eu-central-1'));
  });

  it('region and endpoint are told with their sources, and which one lost', async () => {
    vi.stubEnv('AWS_REGION', REGION);
    vi.stubEnv('AWS_ENDPOINT_URL', aws.proxy.url);
    const [byShell] = await examined({ prefix, attempts: 1 });
    expect(byShell?.evidence).toContain(`region ${REGION} (AWS_REGION of this shell`);
    expect(byShell?.evidence).toContain(`endpoint ${aws.proxy.url} (AWS_ENDPOINT_URL of this shell`);
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    const [byFile] = await examined(store());
    expect(byFile?.evidence).toContain(`region ${REGION} (keyturn.yaml)`);
    expect(byFile?.evidence).toContain('keyturn.yaml wins over AWS_REGION');
  });

  it('an endpoint where nobody listens, a name that is none, and plain http over a network', async () => {
    expect(await complaints(store({ endpoint: 'http://127.0.0.1:1' }))).toEqual(
      told('broken', 'service', "AWS can't be reached", 'AWS_ENDPOINT_URL_SECRETS_MANAGER'),
    );
    expect(await complaints(store({ endpoint: 'https://aws.invalid' }))).toEqual(
      told('broken', 'service', 'the name aws.invalid does not resolve', 'getent hosts aws.invalid'),
    );
    const { endpoint: _, ...own } = store({ region: 'xx-nowhere-9' });
    expect(await complaints(own)).toEqual(
      told(
        'broken',
        'service',
        'xx-nowhere-9.* does not resolve',
        'Correct region.*getent hosts secretsmanager.xx-nowhere-9.amazonaws.com',
      ),
    );
    const plain = (await examined(store({ endpoint: 'http://aws.invalid' }))).find(({ name }) => name === 'TLS');
    expect(plain?.verdict).toBe('broken');
  });

  it('a KMS key of another region than the store’s', async () => {
    const elsewhere = kmsKeyId.replace(REGION, 'eu-west-1');
    expect(await complaints(store({ kmsKeyId: elsewhere }))).toEqual(
      told(
        'broken',
        'KMS key',
        `is a key of eu-west-1, and the store is in ${REGION}`,
        `aws kms list-aliases --region ${REGION}`,
      ),
    );
  });

  it.each([
    ['with an explicit deny in a service control policy', 'a service control policy'],
    ['with an explicit deny in a permissions boundary', 'a permissions boundary'],
    ['with an explicit deny', 'some policy'],
    ['because no VPC endpoint policy allows the secretsmanager:GetSecretValue action', 'a VPC endpoint policy'],
  ])('a denial %s is not mended by the role’s policy, and says where it is', async (how, where) => {
    const message = `User: arn:aws:sts::1:x is not authorized to perform: secretsmanager:GetSecretValue on resource: y ${how}`;
    aws.proxy.faults = ({ operation }) =>
      operation === 'GetSecretValue' ? refusing({ type: 'AccessDeniedException', message }) : null;
    const found = await complaints(store());
    expect(found).toEqual(told('broken', 'policy', `secretsmanager:GetSecretValue.*, by ${where}`, 'changes nothing'));
    expect(JSON.stringify(found)).not.toContain('"Effect');
  });

  it('no credentials: every source with what it lacks', async () => {
    for (const name of Object.keys(CREDENTIALS)) vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nonexistent');
    const [found, ...more] = await complaints(store());
    expect(more).toEqual([]);
    expect(found).toMatchObject({ name: 'service', verdict: 'broken' });
    for (const source of ['environment: not set', 'profile default: not in', 'web identity', 'container', 'instance']) {
      expect(found?.evidence).toContain(source);
    }
  });

  it.each<[string, FaultPlan, Check['verdict'], string, string, string]>([
    ['a token that expired', always('ExpiredTokenException'), 'broken', 'service', 'expired', 'aws sso login'],
    ['an unknown key', always('UnrecognizedClientException'), 'broken', 'service', 'not accept', 'get-caller-identity'],
    ['a wrong clock', always('RequestTimeTooSkewed'), 'broken', 'service', 'clock', 'NTP'],
    [
      'something that is not AWS',
      () => answering(200, 'text/html', '<h1>Log in</h1>'),
      'broken',
      'service',
      'not speak as AWS',
      'endpoint',
    ],
  ])('%s', async (_, faults, verdict, name, evidence, fix) => {
    aws.proxy.faults = faults;
    expect(await complaints(store())).toEqual(told(verdict, name, evidence, fix));
  });

  it('a clock that the SDK corrects for', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    aws.proxy.faults = () => ({
      forwarded: true,
      answer: (response, real) => real !== null && send(response, { ...real, headers: { ...real.headers, date } }),
    });
    expect(await complaints(store())).toEqual(told('attention', 'clocks', /-(?:3599|3600) s off/, 'NTP'));
  });
});

describe('policy, key and records', () => {
  function without(...actions: readonly string[]): void {
    const [policy] = [shippedPolicy('keyturn.json', { prefix, kmsKeyId })];
    const text = JSON.stringify(policy);
    aws.proxy.policies = [
      JSON.parse(actions.reduce((left, action) => left.replaceAll(`"${action}"`, '"sts:Nothing"'), text)) as Policy,
    ];
  }

  it.each([
    ['secretsmanager:GetSecretValue', 'secret:stage-'],
    ['secretsmanager:DescribeSecret', 'secret:stage-'],
    ['secretsmanager:ListSecrets', '"Resource":"*"'],
  ])('%s is denied: the statement to add is told, and mends it as it is', async (action, resource) => {
    without(action);
    const [found, ...more] = await complaints(store());
    expect(more).toEqual([]);
    expect(found).toMatchObject({ name: 'policy', verdict: 'broken' });
    expect(found?.evidence).toContain(`AWS denied ${action}`);
    expect(found?.fix).toContain(`{"Effect":"Allow","Action":"${action}","Resource":"`);
    expect(found?.fix).toContain(resource);
    const Statement: unknown[] = [JSON.parse(found?.fix.replace('Add to the role’s policy: ', '') ?? '')];
    aws.proxy.policies = [...(aws.proxy.policies ?? []), { Version: '2012-10-17', Statement }];
    expect(await complaints(store())).toEqual([]);
  });

  it('all that is denied is told at once', async () => {
    aws.proxy.policies = [];
    expect((await complaints(store())).map(({ name }) => name)).toEqual(['policy', 'policy', 'policy']);
  });

  it('a KMS key that is disabled, about to be deleted, or not there', async () => {
    const look: Policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' }],
    };
    aws.proxy.policies = [shippedPolicy('keyturn.json', { prefix, kmsKeyId }), look];
    expect((await examined(store())).find(({ name }) => name === 'KMS key')?.evidence).toContain('is enabled');
    await aws.switchKey(kmsKeyId, false);
    try {
      expect(await complaints(store())).toEqual(
        told('broken', 'KMS key', 'is disabled', `aws kms enable-key --key-id ${kmsKeyId} --region ${REGION}`),
      );
    } finally {
      await aws.switchKey(kmsKeyId, true);
    }
    const doomed = await aws.makeKey();
    await aws.ask('kms:ScheduleKeyDeletion', { KeyId: doomed.split('/')[1] });
    expect(await complaints(store({ kmsKeyId: doomed }))).toEqual(
      told('broken', 'KMS key', 'scheduled for deletion', 'aws kms cancel-key-deletion'),
    );
    const unknown = kmsKeyId.replace(/.{4}$/, 'ffff');
    expect(await complaints(store({ kmsKeyId: unknown }))).toEqual(
      told('broken', 'KMS key', 'knows no key', 'aws kms list-aliases'),
    );
  });

  describe('a secret in its recovery window', () => {
    const INSTANCE = 'keyturn.example/main';

    async function recordOf(instance: string, more: AwsStoreOptions = {}): Promise<string> {
      const driver = await openAwsStore(store({ instance, deletion: 7, ...more }));
      using octets = SecretBytes.copyOf(Buffer.from('content'));
      await driver.write('versions/lean/sandbox/1', octets);
      await driver.close();
      return `${prefix}/versions/lean/sandbox/1`;
    }
    const schedule = (SecretId: string) =>
      aws.ask('secretsmanager:DeleteSecret', { SecretId, RecoveryWindowInDays: 7 });

    it('that this instance wrote is about to be lost where nothing has a window; with one it is what was destroyed', async () => {
      const name = await recordOf(INSTANCE);
      await schedule(name);
      expect(await complaints(store({ instance: INSTANCE }))).toEqual(
        told(
          'broken',
          'records',
          'this instance wrote it',
          `aws secretsmanager restore-secret --secret-id ${name} --region`,
        ),
      );
      expect(await complaints(store({ instance: INSTANCE, deletion: 7 }))).toEqual([]);
    });

    it('of another instance under the same prefix is told as such, window or not', async () => {
      const name = await recordOf('keyturn.example/other');
      await schedule(name);
      for (const deletion of ['immediate', 7] as const) {
        expect(await complaints(store({ instance: INSTANCE, deletion }))).toEqual(
          told('attention', 'records', 'Keyturn keyturn.example/other wrote it', 'prefix of its own.*restore-secret'),
        );
      }
    });

    it('of somebody else takes a name, which is told with what frees it', async () => {
      const SecretId = `${prefix}/versions/lean/sandbox/1`;
      await aws.ask('secretsmanager:CreateSecret', { Name: SecretId, SecretString: 'x' });
      await schedule(SecretId);
      for (const deletion of ['immediate', 7] as const) {
        expect(await complaints(store({ instance: INSTANCE, deletion }))).toEqual(
          told('attention', 'records', 'somebody else wrote it, not Keyturn; its name is taken', 'describe-secret'),
        );
      }
    });
  });
});

describe('the write test', () => {
  async function tried(options: AwsStoreOptions): Promise<Check[]> {
    const one = new KeyStore('aws', await openAwsStore(options));
    try {
      return wellFormed(await tryRecord(one));
    } finally {
      await one.close();
    }
  }

  it.each<[string, AwsStoreOptions, string, RegExp]>([
    ['tags of one’s own', { tags: { team: 'pay' } }, 'secretsmanager:TagResource', /aws:TagKeys/],
    ['a recovery window', { deletion: 7 }, 'secretsmanager:DeleteSecret', /RecoveryWindowInDays/],
    [
      'replicas',
      { replicas: [{ region: 'eu-west-1' }] },
      'secretsmanager:ReplicateSecretToRegions',
      /keyturn-replicas\.json/,
    ],
  ])('under the policy as it ships, %s say what has to be changed in it', async (_, options, action, fix) => {
    const [found] = await tried(store(options));
    expect(found?.evidence).toContain(`AWS denied ${action}`);
    expect(found?.fix).toMatch(fix);
  });

  it('writes, reads and destroys, and leaves nothing behind', async () => {
    expect(await tried(store())).toMatchObject([{ name: 'write test', verdict: 'ok' }]);
    expect(await aws.ask('secretsmanager:ListSecrets', { Filters: [{ Key: 'name', Values: [prefix] }] })).toMatchObject(
      {
        SecretList: [],
      },
    );
  });

  it('tells of a key that is disabled or denied, where describing it is not granted', async () => {
    await aws.switchKey(kmsKeyId, false);
    expect((await examined(store())).find(({ name }) => name === 'KMS key')?.evidence).toContain('not granted');
    try {
      expect(await tried(store())).toEqual(told('broken', 'write test', 'KMS key does not serve', 'describe-key'));
    } finally {
      await aws.switchKey(kmsKeyId, true);
    }
    const other = await aws.makeKey();
    aws.proxy.policies = [
      JSON.parse(
        JSON.stringify(shippedPolicy('keyturn.json', { prefix, kmsKeyId })).replaceAll(
          'kms:GenerateDataKey',
          'kms:Sign',
        ),
      ) as Policy,
    ];
    expect(await tried(store())).toEqual(told('broken', 'write test', 'denied kms:GenerateDataKey', 'keyturn.json'));
    expect((await tried(store({ kmsKeyId: other })))[0]).toMatchObject({ verdict: 'broken' });
  });
});

it('a wrapped master key is really unwrapped', async () => {
  await using folder = await folderWith({});
  const policies = ['keyturn-master-key-making.json', 'keyturn-master-key.json'];
  aws.proxy.policies = policies.map((file) => shippedPolicy(file, { kmsKeyId }));
  const options = { ...aws.connection, keyId: kmsKeyId, wrappedFile: folder.path('wrapped'), store: 'test/file' };
  await generateKmsMasterKey(options);
  expect(wellFormed(await examineKms(options))).toMatchObject([{ name: 'unwrapping', verdict: 'ok' }]);
  aws.proxy.policies = [];
  expect(wellFormed(await examineKms(options))).toEqual(
    told('broken', 'unwrapping', 'denied kms:Decrypt', 'keyturn-master-key.json'),
  );
});

it('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});
