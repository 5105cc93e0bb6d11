import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAwsStore } from '../../../src/keystore/aws/aws-store.ts';
import { generateKmsMasterKey } from '../../../src/keystore/aws/kms.ts';
import type { AwsStoreOptions } from '../../../src/keystore/aws/options.ts';
import type { Policy } from '../../fakes/aws/iam.ts';
import { shippedPolicy } from '../../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../fakes/aws.ts';
import { temporaryFolder } from '../file/temporary-store.ts';
import { get, outcome, put } from './stage.ts';

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const RECORD = 'versions/lean/sandbox/1';
const DENIED = 'keystore_unavailable forbidden';

let aws: FakeAws;
let kmsKeyId: string;
let prefix: string;
beforeAll(async () => {
  aws = await FakeAws.start();
  kmsKeyId = await aws.makeKey();
});
afterAll(() => aws[Symbol.asyncDispose]());
beforeEach(() => {
  prefix = `policy-${randomUUID()}`;
});

function statements(file: string): Statement[] {
  return shippedPolicy(file, { prefix, kmsKeyId })['Statement'] as Statement[];
}

const policyOf = (Statement: readonly Statement[]): Policy => ({ Version: '2012-10-17', Statement });

/** Each verb under these policies, on records that stand; `done`, or what it rejects with. */
async function verbs(policies: readonly Policy[], options: AwsStoreOptions = {}): Promise<Record<string, string>> {
  const store = await openAwsStore({ ...aws.connection, prefix, kmsKeyId, ...options });
  try {
    aws.proxy.policies = null;
    for (const record of [RECORD, 'a/destroyed']) await put(store, record, 'content');
    aws.proxy.policies = policies;
    return {
      write: await outcome(put(store, 'a/written', 'content')),
      read: await outcome(get(store, RECORD)),
      absent: await outcome(get(store, 'a/absent')),
      list: await outcome(store.list()),
      destroy: await outcome(store.destroy('a/destroyed')),
    };
  } finally {
    await store.close();
  }
}

const ALL_DONE = { write: 'done', read: 'done', absent: 'done', list: 'done', destroy: 'done' };

/** Which verbs need an action, and which of them say so by its name. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  'secretsmanager:CreateSecret': ['write'],
  'secretsmanager:TagResource': ['write'],
  'secretsmanager:GetSecretValue': ['write', 'read', 'absent'],
  'secretsmanager:DescribeSecret': ['absent'],
  'secretsmanager:DeleteSecret': ['destroy'],
  'secretsmanager:ListSecrets': ['list'],
  'kms:GenerateDataKey': ['write'],
  'kms:Decrypt': ['write', 'read'],
};

describe('policies/aws/keyturn.json', () => {
  it('is enough for every verb', async () => {
    expect(await verbs([policyOf(statements('keyturn.json'))])).toEqual(ALL_DONE);
  });

  it('grants what this table names, and nothing else', () => {
    expect(
      statements('keyturn.json')
        .flatMap(({ Action }) => Action)
        .sort(),
    ).toEqual(Object.keys(NEEDED).sort());
  });

  for (const [action, broken] of Object.entries(NEEDED)) {
    it(`without ${action}, ${broken.join(', ')} is denied`, async () => {
      const left = statements('keyturn.json').flatMap((statement) => {
        const actions = [statement.Action].flat().filter((each) => each !== action);
        return actions.length === 0 ? [] : [{ ...statement, Action: actions }];
      });
      const denied = Object.fromEntries(broken.map((verb) => [verb, DENIED]));
      expect(await verbs([policyOf(left)])).toEqual({ ...ALL_DONE, ...denied });
    });
  }

  it('reaches no record outside of the prefix', async () => {
    for (const outside of [`${prefix}x`, 'other', 'x']) {
      const SecretString = 'theirs';
      await aws.ask('secretsmanager:CreateSecret', { Name: `${outside}/${RECORD}`, SecretString });
      aws.proxy.policies = [policyOf(statements('keyturn.json'))];
      const store = await openAwsStore({ ...aws.connection, prefix: outside, kmsKeyId });
      expect(await outcome(put(store, 'a/written', 'content'))).toBe(DENIED);
      expect(await outcome(get(store, RECORD))).toBe(DENIED);
      expect(await outcome(store.destroy(RECORD))).toBe(DENIED);
      await store.close();
      expect(await aws.versions(`${outside}/${RECORD}`)).toBe(1);
    }
  });
});

/** What each condition keeps out: denied as shipped, and done once that condition is taken away. */
const PROBES: Readonly<Record<string, { readonly options?: AwsStoreOptions; readonly verb: string }>> = {
  'WriteRecords secretsmanager:KmsKeyId': { options: { kmsKeyId: 'another' }, verb: 'write' },
  'NameThemForPeople aws:TagKeys': { options: { tags: { team: 'payments' } }, verb: 'write' },
  'DestroyRecords secretsmanager:ForceDeleteWithoutRecovery': { options: { deletion: 7 }, verb: 'destroy' },
};

describe('conditions of policies/aws/keyturn.json', () => {
  for (const [condition, { options = {}, verb }] of Object.entries(PROBES)) {
    it(`${condition} refuses what it is there for, and alone does so`, async () => {
      const given = options.kmsKeyId === 'another' ? { ...options, kmsKeyId: await aws.makeKey() } : options;
      const [sid, key = ''] = condition.split(' ');
      expect((await verbs([policyOf(statements('keyturn.json'))], given))[verb]).toBe(DENIED);
      const opened = statements('keyturn.json').map((statement) =>
        statement.Sid === sid ? without(statement, key) : statement,
      );
      prefix = `policy-${randomUUID()}`;
      const moved = JSON.parse(JSON.stringify(opened).replaceAll(/policy-[0-9a-f-]{36}/g, prefix)) as Statement[];
      const anyKey = { Sid: 'K', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Effect: 'Allow', Resource: '*' };
      const policies = given.kmsKeyId === undefined ? [policyOf(moved)] : [policyOf([...moved, anyKey])];
      expect((await verbs(policies, given))[verb]).toBe('done');
    });
  }

  it('the key serves Secrets Manager alone', async () => {
    aws.proxy.policies = null;
    const options = { ...aws.connection, keyId: kmsKeyId, store: 'keys.ktn', wrappedFile: `${temporaryFolder()}/key` };
    const master = await generateKmsMasterKey(options);
    const anySecret = statements('keyturn.json').map((each) => without(each, 'kms:EncryptionContext:SecretARN'));
    aws.proxy.policies = [policyOf(anySecret)];
    expect(await outcome(master.read())).toBe(DENIED);
    aws.proxy.policies = [policyOf(anySecret.map((each) => without(each, 'kms:ViaService')))];
    expect(await outcome(master.read())).toBe('done');
  });

  it('the key does not open a secret of another prefix, even where reading that is granted elsewhere', async () => {
    const readAll = { Sid: 'R', Action: 'secretsmanager:*', Effect: 'Allow', Resource: '*' };
    const elsewhere = await openAwsStore({ ...aws.connection, prefix: `x${prefix}`, kmsKeyId });
    aws.proxy.policies = null;
    await put(elsewhere, RECORD, 'content');
    aws.proxy.policies = [policyOf([...statements('keyturn.json'), readAll])];
    expect(await outcome(get(elsewhere, RECORD))).toBe(DENIED);
    const opened = statements('keyturn.json').map((each) => without(each, 'kms:EncryptionContext:SecretARN'));
    aws.proxy.policies = [policyOf([...opened, readAll])];
    expect(await outcome(get(elsewhere, RECORD))).toBe('done');
    await elsewhere.close();
  });
});

describe('policies/aws/keyturn-replicas.json', () => {
  const replicas = [{ region: 'eu-west-1' }];

  it('is needed beside the other one for replicas, each of its actions', async () => {
    const [base, extra] = [policyOf(statements('keyturn.json')), statements('keyturn-replicas.json')];
    expect(await verbs([base, policyOf(extra)], { replicas })).toEqual(ALL_DONE);
    for (const [action, verb] of [
      ['secretsmanager:ReplicateSecretToRegions', 'write'],
      ['secretsmanager:RemoveRegionsFromReplication', 'destroy'],
    ] as const) {
      prefix = `policy-${randomUUID()}`;
      const only = statements('keyturn-replicas.json').map((each) => ({
        ...each,
        Action: [each.Action].flat().filter((name) => name !== action),
      }));
      const policies = [policyOf(statements('keyturn.json')), policyOf(only)];
      expect(await verbs(policies, { replicas })).toEqual({ ...ALL_DONE, [verb]: DENIED });
    }
  });
});

it('a denial names action and resource, of the secret or of its key', async () => {
  const store = await openAwsStore({ ...aws.connection, prefix, kmsKeyId });
  const without = (action: string) => [
    policyOf(
      statements('keyturn.json').map((each) => ({
        ...each,
        Action: [each.Action]
          .flat()
          .filter((a) => a !== action)
          .concat('secretsmanager:ListSecretVersionIds'),
      })),
    ),
  ];
  const name = `${prefix}/${RECORD}`;
  for (const [action, said, resource] of [
    ['secretsmanager:CreateSecret', 'secretsmanager:CreateSecret', `secret ${name}`],
    ['secretsmanager:TagResource', 'secretsmanager:TagResource', `secret ${name}`],
    ['kms:GenerateDataKey', 'kms:GenerateDataKey and kms:Decrypt', `the KMS key of secret ${name}`],
  ] as const) {
    aws.proxy.policies = without(action);
    await expect(put(store, RECORD, 'content')).rejects.toMatchObject({
      message: `AWS denied ${said} on ${resource} in eu-central-1.`,
      facts: { reason: 'forbidden', action: said, resource, certain: true },
      fix: expect.stringContaining('policies/aws/keyturn.json'),
    });
  }
  await store.close();
});

it('nothing of the proxy broke', () => {
  expect(aws.proxy.broken).toEqual([]);
});

function without(statement: Statement, key: string): Statement {
  const { Condition, ...rest } = statement;
  if (Condition === undefined) return statement;
  const kept = Object.entries(Condition).filter(([, keys]) => !Object.hasOwn(keys, key));
  return kept.length === 0 ? rest : { ...rest, Condition: Object.fromEntries(kept) };
}
