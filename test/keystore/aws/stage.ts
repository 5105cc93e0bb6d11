import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { openAwsStore } from '../../../src/keystore/aws/aws-store.ts';
import type { AwsStore } from '../../../src/keystore/aws/driver.ts';
import type { AwsStoreOptions } from '../../../src/keystore/aws/options.ts';
import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import type { FakeAws } from '../../fakes/aws.ts';

export interface Stage {
  readonly aws: FakeAws;
  /** A prefix of this stage's own. */
  readonly prefix: string;
  readonly store: AwsStore;
  readonly open: (options?: AwsStoreOptions) => Promise<AwsStore>;
}

/** An open store under a prefix of its own, with everything allowed and nothing broken; closed when the test ends. */
export async function stageOn(aws: FakeAws, options: AwsStoreOptions = {}): Promise<Stage> {
  const prefix = `stage-${randomUUID()}`;
  Object.assign(aws.proxy, { policies: null, faults: () => null });
  const open = async (more: AwsStoreOptions = {}) => {
    const store = await openAwsStore({ ...aws.connection, prefix, ...options, ...more });
    onTestFinished(() => store.close());
    return store;
  };
  return { aws, prefix, store: await open(), open };
}

export async function put(store: KeyStoreDriver, record: string, text: string): Promise<void> {
  using octets = SecretBytes.copyOf(Buffer.from(text));
  await store.write(record, octets);
}

export async function get(store: KeyStoreDriver, record: string): Promise<string | null> {
  using octets = await store.read(record);
  return octets === null ? null : octets.bytes.toString();
}

/** `done`, or code and reason of what it rejects with. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (!isKeyturnError(error)) return 'an error that is not ours';
    return [error.code, error.facts['reason']].filter((part) => part !== undefined).join(' ');
  }
}
