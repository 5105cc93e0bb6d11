import { randomUUID } from 'node:crypto';
import type { KeyStoreDriver } from '../../src/keystore/driver.ts';
import { keyStoreAdapters } from '../../src/keystore/registry.ts';
import { shippedPolicy } from '../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../fakes/aws.ts';
import type { KeyStoreHarness, KeyStorePlace } from './keystore.ts';

let aws: FakeAws | null = null;

async function start(): Promise<AsyncDisposable> {
  aws = await FakeAws.start();
  return aws;
}

/** A prefix of its own, by a role that holds the shipped policy for that prefix and nothing else. */
async function makeAwsPlace(): Promise<KeyStorePlace> {
  if (aws === null) throw new Error('The emulator was not started.');
  const [prefix, kmsKeyId] = [`place-${randomUUID()}`, await aws.makeKey()];
  aws.proxy.policies = [shippedPolicy('keyturn.json', { prefix, kmsKeyId })];
  const options = { ...aws.connection, prefix, kmsKeyId };
  let driver: KeyStoreDriver = await keyStoreAdapters.aws(options);
  return {
    driver,
    reopen: async () => {
      await driver.close();
      driver = await keyStoreAdapters.aws(options);
      return driver;
    },
    remove: () => driver.close(),
  };
}

const CANT_ATTEST = 'Secrets Manager keeps no digest of a prefix';

export const awsHarness: KeyStoreHarness = {
  start,
  makePlace: makeAwsPlace,
  exceptions: {
    'attests to its content, whatever the order of writing': CANT_ATTEST,
    'attests to another digest when the same names hold other or exchanged content': CANT_ATTEST,
    'counts each change in its generation, and nothing else': CANT_ATTEST,
  },
};
