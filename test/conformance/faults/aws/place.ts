import { randomUUID } from 'node:crypto';
import type { AwsStoreOptions } from '../../../../src/keystore/aws/options.ts';
import { versionId } from '../../../../src/keystore/aws/secret-name.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import type { FakeAws } from '../../../fakes/aws.ts';
import { CANARY, STANDING, type StoreUnderFault, storeHere, type Verb, WRITTEN } from '../cell.ts';
import type { Held } from '../held.ts';
import type { Fault } from '../table.ts';

/** A prefix of its own, and the KMS key that all share. */
export interface AwsPlace {
  readonly verb: Verb;
  readonly prefix: string;
  readonly options: AwsStoreOptions;
}

export type AwsFault = Fault<AwsPlace>;

/** Patience for a busy machine, where nothing is waited for in vain. */
const PATIENT = { connectMs: 5_000, attemptMs: 5_000, callMs: 12_000, attempts: 2 } as const;

/** So that hanging takes little time. */
export const HURRIED = { connectMs: 500, attemptMs: 500, callMs: 3_000 } as const;

export async function prepareAt(aws: FakeAws, verb: Verb, kmsKeyId: string): Promise<AwsPlace> {
  const prefix = `cell-${randomUUID()}`;
  const Name = `${prefix}/${STANDING}`;
  await aws.ask('secretsmanager:CreateSecret', {
    Name,
    ClientRequestToken: versionId(Name),
    SecretBinary: CANARY.toString('base64'),
    KmsKeyId: kmsKeyId,
  });
  return { verb, prefix, options: { ...aws.connection, ...PATIENT, prefix, kmsKeyId } };
}

/** `more` is asked for when the store is opened, which is after the fault was armed. */
export function openAt({ options }: AwsPlace, more: () => AwsStoreOptions = () => ({})): StoreUnderFault {
  return storeHere(() => keyStoreAdapters.aws({ ...options, ...more() }), 20_000);
}

/** Past the proxy. Behind a record's number: `x2` for a second version, `~` for one that is scheduled for deletion. */
export async function heldAt(aws: FakeAws, { prefix }: AwsPlace): Promise<Held> {
  const found: string[] = [];
  for (const [number, record] of [
    ['1', STANDING],
    ['2', WRITTEN],
  ] as const) {
    const SecretId = `${prefix}/${record}`;
    const secret = await aws.ask('secretsmanager:DescribeSecret', { SecretId });
    if (secret === null) continue;
    if (typeof secret['DeletedDate'] === 'number') {
      found.push(`${number}~`);
      continue;
    }
    const value = await aws.ask('secretsmanager:GetSecretValue', { SecretId, VersionId: versionId(SecretId) });
    const other = value?.['SecretBinary'] === CANARY.toString('base64') ? '' : '!';
    const versions = await aws.versions(SecretId);
    found.push(`${number}${other}${versions === 1 ? '' : `x${versions}`}`);
  }
  return found;
}
