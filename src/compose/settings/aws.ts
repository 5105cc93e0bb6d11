import { z } from 'zod';
import type { AwsConnectionOptions, AwsStoreOptions } from '../../keystore/aws/options.ts';
import { adoptFrom } from './adopt-from.ts';
import { given } from './given.ts';

const milliseconds = z.int().min(1).max(600_000);
const region = z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-[0-9]$/, { error: 'not a region such as eu-central-1' });

/** Members by which AWS is spoken to. Credentials come from the SDK's default chain, never from here. */
export const awsConnection = {
  region: region.optional(),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  'connect-ms': milliseconds.optional(),
  'attempt-ms': milliseconds.optional(),
  'call-ms': milliseconds.optional(),
  attempts: z.int().min(1).max(10).optional(),
  'break-ms': milliseconds.optional(),
};

export const awsStore = z.strictObject({
  kind: z.literal('aws'),
  ...awsConnection,
  prefix: z.string().min(1).max(200).optional(),
  'kms-key': z.string().min(1).max(2048).optional(),
  deletion: z
    .union([z.literal('immediate'), z.int().min(7).max(30)], {
      error: 'give immediate, or a recovery window of 7 to 30 days',
    })
    .optional(),
  tags: z.record(z.string(), z.string()).optional(),
  'adopt-from': adoptFrom.optional(),
  replicas: z.array(z.strictObject({ region, 'kms-key': z.string().min(1).optional() })).optional(),
});

const connection = z.object(awsConnection);

export function awsConnectionOptions(setting: z.infer<typeof connection>): AwsConnectionOptions {
  return given({
    region: setting.region,
    endpoint: setting.endpoint,
    connectMs: setting['connect-ms'],
    attemptMs: setting['attempt-ms'],
    callMs: setting['call-ms'],
    attempts: setting.attempts,
    breakMs: setting['break-ms'],
  });
}

/** `origin` of the instance's log, which is its name. */
export function awsStoreOptions(setting: z.infer<typeof awsStore>, origin: string): AwsStoreOptions {
  return {
    ...awsConnectionOptions(setting),
    instance: origin,
    ...given({
      prefix: setting.prefix,
      kmsKeyId: setting['kms-key'],
      deletion: setting.deletion,
      tags: setting.tags,
      replicas: setting.replicas?.map((replica) => ({
        region: replica.region,
        ...given({ kmsKeyId: replica['kms-key'] }),
      })),
    }),
  };
}
