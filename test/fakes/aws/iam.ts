import { runSimulation } from '@cloud-copilot/iam-simulate';
import type { Ask } from './corrections.ts';
import { ACCOUNT, type AwsCall, type Refusal } from './protocol.ts';

const PRINCIPAL = `arn:aws:iam::${ACCOUNT}:role/keyturn`;

/** One permission that a call needs. */
interface Need {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string | string[]>>;
}

/** A policy document; its shape is judged by the simulator. */
export type Policy = Readonly<Record<string, unknown>>;

/** Every key trusts the account's own policies, as the default key policy does. */
const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' }],
};

/** What AWS answers to a principal that holds these policies and nothing else; null when it lets the call pass. */
export async function denial(policies: readonly Policy[], call: AwsCall, ask: Ask): Promise<Refusal | null> {
  for (const need of await needsOf(call, ask)) {
    if (await isAllowed(policies, need)) continue;
    const direct = need.action.startsWith('kms:') && !call.action.startsWith('kms:');
    const message = direct
      ? 'Access to KMS is not allowed'
      : `User: ${PRINCIPAL} is not authorized to perform: ${need.action} on resource: ${need.resource} because no identity-based policy allows the ${need.action} action`;
    return { type: 'AccessDeniedException', message };
  }
  return null;
}

async function isAllowed(policies: readonly Policy[], { action, resource, context }: Need): Promise<boolean> {
  const identityPolicies = policies.map((policy, index) => ({ name: `policy ${index}`, policy: understood(policy) }));
  const result = await runSimulation(
    {
      request: {
        principal: PRINCIPAL,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: understood({ 'aws:SecureTransport': 'true', ...context }),
      },
      identityPolicies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(action.startsWith('kms:') ? { resourcePolicy: KEY_POLICY } : {}),
    },
    {},
  );
  if (result.resultType === 'error') throw new Error(`The simulator refuses: ${JSON.stringify(result.errors)}`);
  return result.overallResult === 'Allowed';
}

/**
 * The simulator knows no `kms:EncryptionContext:…`, whose names are free: in policy and request alike it is shown as a
 * tag of the principal, the one kind of key with a free name that it takes for every action.
 */
function understood<T>(value: T): T {
  const text = JSON.stringify(value).replaceAll('"kms:EncryptionContext:', '"aws:PrincipalTag/EncryptionContext:');
  return JSON.parse(text) as T;
}

/** IAM actions, resources and condition keys of each call (Service Authorization Reference). */
async function needsOf(call: AwsCall, ask: Ask): Promise<Need[]> {
  if (call.action.startsWith('kms:')) return [directKeyNeed(call)];
  if (call.action.startsWith('acm-pca:')) return [authorityNeed(call)];
  if (call.operation === 'ListSecrets') return [{ action: call.action, resource: '*', context: {} }];
  const { input, region } = call;
  const name = String(input['SecretId'] ?? input['Name']);
  const standing = await ask('secretsmanager:DescribeSecret', { SecretId: name });
  const resource =
    typeof standing?.['ARN'] === 'string'
      ? standing['ARN']
      : `arn:aws:secretsmanager:${region}:${ACCOUNT}:secret:${name}`;
  const own = { action: call.action, resource, context: contextOf(input) };
  if (call.operation === 'CreateSecret') return [own, ...createNeeds(call, resource)];
  const key = standing?.['KmsKeyId'];
  if (call.operation !== 'GetSecretValue' || typeof key !== 'string') return [own];
  return [own, keyNeed('kms:Decrypt', key, region, resource)];
}

function contextOf(input: AwsCall['input']): Record<string, string | string[]> {
  const tags = Array.isArray(input['Tags']) ? (input['Tags'] as { Key: string; Value: string }[]) : [];
  const context: Record<string, string | string[]> = {};
  if (tags.length > 0) context['aws:TagKeys'] = tags.map(({ Key }) => Key);
  for (const { Key, Value } of tags) context[`aws:RequestTag/${Key}`] = Value;
  for (const [member, key] of [
    ['ForceDeleteWithoutRecovery', 'secretsmanager:ForceDeleteWithoutRecovery'],
    ['RecoveryWindowInDays', 'secretsmanager:RecoveryWindowInDays'],
    ['KmsKeyId', 'secretsmanager:KmsKeyId'],
    ['Name', 'secretsmanager:Name'],
    ['SecretId', 'secretsmanager:SecretId'],
    ['VersionId', 'secretsmanager:VersionId'],
  ] as const) {
    const value = input[member];
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      context[key] = String(value);
  }
  return context;
}

/** Tags and replicas need permissions of their own, and a customer key is used in the caller's name. */
function createNeeds({ input, region }: AwsCall, resource: string): Need[] {
  const context = contextOf(input);
  const needs: Need[] = [];
  if (input['Tags'] !== undefined) needs.push({ action: 'secretsmanager:TagResource', resource, context });
  if (Array.isArray(input['AddReplicaRegions'])) {
    const regions = (input['AddReplicaRegions'] as { Region: string }[]).map(({ Region }) => Region);
    const added = { ...context, 'secretsmanager:AddReplicaRegions': regions };
    needs.push({ action: 'secretsmanager:ReplicateSecretToRegions', resource, context: added });
  }
  const key = input['KmsKeyId'];
  if (typeof key !== 'string') return needs;
  const uses = ['kms:GenerateDataKey', 'kms:Decrypt'].map((action) =>
    keyNeed(action, key, region, `${resource}-AbCdEf`),
  );
  return [...needs, ...uses];
}

function keyNeed(action: string, key: string, region: string, secretArn: string): Need {
  const context = {
    'kms:ViaService': `secretsmanager.${region}.amazonaws.com`,
    'kms:EncryptionContext:SecretARN': secretArn,
    'kms:EncryptionContextKeys': ['SecretARN', 'SecretVersionId'],
  };
  return { action, resource: keyArn(key, region), context };
}

function authorityNeed({ action, input }: AwsCall): Need {
  const { CertificateAuthorityArn: resource, TemplateArn: template } = input;
  const context = typeof template === 'string' ? { 'acm-pca:TemplateArn': template } : {};
  return { action, resource: String(resource), context };
}

function directKeyNeed({ action, input, region }: AwsCall): Need {
  const encryption = (input['EncryptionContext'] ?? {}) as Record<string, string>;
  const context: Record<string, string | string[]> = { 'kms:EncryptionContextKeys': Object.keys(encryption) };
  for (const [name, value] of Object.entries(encryption)) context[`kms:EncryptionContext:${name}`] = value;
  return { action, resource: keyArn(String(input['KeyId']), region), context };
}

function keyArn(key: string, region: string): string {
  return key.startsWith('arn:') ? key : `arn:aws:kms:${region}:${ACCOUNT}:key/${key}`;
}
