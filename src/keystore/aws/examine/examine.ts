import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { attention, broken, brokenBy, type Check, ok, untilBroken } from '../../../core/check.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { SecretsClient } from '../client.ts';
import { reasonOf } from '../failure/reason.ts';
import { type KmsMasterKeyOptions, kmsMasterKey, stateOfKey } from '../kms.ts';
import {
  type AwsStoreOptions,
  type Connection,
  connectionOf,
  type SecretSettings,
  secretSettings,
} from '../options.ts';
import { versionId } from '../secret-name.ts';
import { examineScheduled } from './scheduled.ts';
import { examineWhere } from './where.ts';

/** As long as a person waits for one question, milliseconds. */
const PATIENCE_MS = 5_000;

/** Greatest correction of the clock that goes without a word, milliseconds. AWS refuses what is 5 minutes off. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * For doctor: everything that stands between this process and a working store, from the settings to the permissions
 * and the key, to the first thing that is broken. Asks about one name that is never written, and changes nothing.
 */
export async function examineAws(options: AwsStoreOptions): Promise<Check[]> {
  let settings: SecretSettings;
  let connection: Connection;
  try {
    settings = secretSettings(options);
    connection = await connectionOf(options, () => new SecretsManagerClient().config.region());
  } catch (error) {
    return [brokenBy('settings', error)];
  }
  const client = new SecretsClient(connection);
  try {
    return await untilBroken([
      ['settings', () => examineWhere(options, connection.region)],
      ['service', () => examineService(client, settings)],
      ['policy', () => examinePolicy(client, settings, connection.region)],
      ['KMS key', () => examineKey(settings.kmsKeyId, connection.region)],
      ['records', () => examineScheduled(client, settings, connection.region)],
    ]);
  } finally {
    client.close();
  }
}

/** The same for a master key wrapped by AWS KMS, which is really unwrapped, and wiped. */
export function examineKms(options: KmsMasterKeyOptions): Promise<Check[]> {
  return untilBroken([
    [
      'unwrapping',
      async () => {
        const master = kmsMasterKey(options);
        (await master.read()).dispose();
        return [ok('unwrapping', master.description)];
      },
    ],
  ]);
}

/** What tells that AWS was reached, knew us, and took our clock: an answer about the secret, whichever. */
async function examineService(client: SecretsClient, { prefix }: SecretSettings): Promise<Check[]> {
  const name = `${prefix}/health`;
  try {
    await client.probe(name, versionId(name), PATIENCE_MS);
  } catch (error) {
    if (reasonOf(error) !== 'absent' && reasonOf(error) !== 'forbidden') throw error;
  }
  const { credentials, expiresAt, clockOffsetMs } = await client.inspect();
  const end = expiresAt === null ? '' : `, good until ${expiresAt.toISOString()}`;
  const found = [ok('service', `AWS answers; credentials from ${credentials ?? 'a source of the SDK'}${end}`)];
  if (Math.abs(clockOffsetMs) <= CLOCK_TOLERANCE_MS) return found;
  const evidence = `this machine’s clock is ${Math.round(-clockOffsetMs / 1000)} s off; the SDK corrects for it`;
  return [...found, attention('clocks', evidence, 'Set the clock by NTP: timedatectl set-ntp true')];
}

/** What can be asked without changing anything. Creating and destroying only a write test tells. */
async function examinePolicy(
  client: SecretsClient,
  { prefix, kmsKeyId }: SecretSettings,
  region: string,
): Promise<Check[]> {
  const account = accountOf(kmsKeyId);
  const name = `${prefix}/health`;
  const questions: (readonly [action: string, resource: string, ask: () => Promise<unknown>])[] = [
    ['GetSecretValue', `${prefix}/*`, () => client.probe(name, versionId(name), PATIENCE_MS)],
    ['DescribeSecret', `${prefix}/*`, () => client.describe(name)],
    ['ListSecrets', '*', () => client.list(`${prefix}/`, undefined)],
  ];
  const denied: Check[] = [];
  for (const [action, resource, ask] of questions) {
    try {
      await ask();
    } catch (error) {
      if (reasonOf(error) === 'absent') continue;
      if (reasonOf(error) !== 'forbidden') throw error;
      const arn =
        resource === '*' ? '*' : `arn:aws:secretsmanager:${region}:${account ?? 'ACCOUNT'}:secret:${resource}`;
      denied.push(deniedBy(error, `secretsmanager:${action}`, arn));
    }
  }
  if (denied.length > 0) return denied;
  const asked = questions.map(([action]) => action).join(', ');
  return [ok('policy', `grants ${asked}; CreateSecret and DeleteSecret: not tried without --write-test`)];
}

/** The account of a key that is named by its ARN; the key of another account is no key of this one's secrets. */
function accountOf(kmsKeyId: string | null): string | null {
  return /^arn:aws[a-z-]*:kms:[a-z0-9-]+:([0-9]{12}):/.exec(kmsKeyId ?? '')?.[1] ?? null;
}

/** With the statement to add. A denial may speak of the KMS key instead of the secret. */
function deniedBy(error: unknown, wanted: string, arn: string): Check {
  const facts = error instanceof KeyturnError ? error.facts : {};
  const action = typeof facts['action'] === 'string' ? facts['action'] : wanted;
  if (action.startsWith('kms:') || facts['denier'] !== undefined) return brokenBy('policy', error);
  const statement = JSON.stringify({ Effect: 'Allow', Action: action, Resource: arn });
  const account = arn.includes(':ACCOUNT:') ? ' ACCOUNT is what aws sts get-caller-identity says.' : '';
  return broken('policy', `AWS denied ${action} on ${arn}`, `Add to the role’s policy: ${statement}${account}`);
}

const KEY_STATES: Readonly<Record<string, { readonly says: string; readonly fix: string }>> = {
  Disabled: { says: 'is disabled', fix: 'aws kms enable-key --key-id' },
  PendingDeletion: { says: 'is scheduled for deletion', fix: 'aws kms cancel-key-deletion --key-id' },
};

/**
 * Asked at AWS KMS's own endpoint. The role needs no permission for it, so that a denial says nothing of the key.
 */
async function examineKey(keyId: string | null, region: string): Promise<Check[]> {
  if (keyId === null) return [ok('KMS key', 'the account’s own, aws/secretsmanager')];
  const of = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):/.exec(keyId)?.[1] ?? region;
  if (of !== region) {
    const evidence = `${keyId} is a key of ${of}, and the store is in ${region}, where no secret can be under it`;
    return [broken('KMS key', evidence, `Name a key of this region: aws kms list-aliases --region ${region}`)];
  }
  try {
    const state = await stateOfKey({ keyId, region, callMs: PATIENCE_MS });
    if (state === 'Enabled') return [ok('KMS key', `${keyId} is enabled`)];
    const { says, fix } = KEY_STATES[state] ?? { says: `is in state ${state}`, fix: 'aws kms describe-key --key-id' };
    return [
      broken('KMS key', `${keyId} ${says}: no record can be read or written`, `${fix} ${keyId} --region ${region}`),
    ];
  } catch (error) {
    if (reasonOf(error) === 'forbidden') {
      return [ok('KMS key', `${keyId}: kms:DescribeKey is not granted, nor needed; --write-test tries the key itself`)];
    }
    if (reasonOf(error) !== 'kms') return [ok('KMS key', `${keyId}: not looked at, AWS KMS did not answer`)];
    const fix = `Name a key of this account and region: aws kms list-aliases --region ${region}`;
    return [broken('KMS key', `AWS KMS knows no key ${keyId} in ${region}`, fix)];
  }
}
