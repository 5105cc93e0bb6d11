import {
  DecryptCommand,
  DescribeKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  KMSClient,
} from '@aws-sdk/client-kms';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { readWhole } from '../file/disk/read-whole.ts';
import { decodeBase64, encodeBase64 } from '../file/master/base64-octets.ts';
import { MASTER_KEY_OCTETS, type MasterKeySource } from '../file/master/source.ts';
import { writeWrappedKey } from '../file/master/wrapped-file.ts';
import { recordingAttempt } from './failure/attempts.ts';
import type { Operation } from './failure/operation.ts';
import { awsError } from './failure/reason.ts';
import { Guard } from './guard.ts';
import { type AwsConnectionOptions, type Connection, connectionOf } from './options.ts';

export interface KmsMasterKeyOptions extends AwsConnectionOptions {
  /** A symmetric key of AWS KMS: key ARN, id, or alias. */
  readonly keyId: string;
  /** File of the wrapped key in base64, mode 0600: worth nothing without AWS KMS. */
  readonly wrappedFile: string;
  /** Name of the key store, e.g. its path as configured: bound to the wrapped key, and shown in CloudTrail. No secret. */
  readonly store: string;
}

/** AWS KMS, API reference of Decrypt: CiphertextBlob has at most 6,144 octets. */
const MAX_WRAPPED_OCTETS = 6_144;

/**
 * The master key of a key store file, wrapped by a key that never leaves AWS KMS. AWS is asked at open, and never for
 * a lease: once open, the file serves while AWS is down.
 * @throws KeyturnError from `read`: `keystore_unavailable`, `master_key_wrong`, `config_invalid`, `not_found`,
 *   `keystore_insecure`.
 */
export function kmsMasterKey(options: KmsMasterKeyOptions): MasterKeySource {
  return {
    kind: 'key',
    description: `${options.wrappedFile}, wrapped by AWS KMS ${options.keyId}`,
    read: async () => {
      const wrapped = await wrappedIn(options.wrappedFile);
      return asking(options, 'Decrypt', async (sdk, abortSignal) => {
        const command = new DecryptCommand({ ...keyAndContext(options), CiphertextBlob: wrapped });
        const { Plaintext: octets } = await sdk.send(command, { abortSignal });
        return unwrapped(octets, options.wrappedFile);
      });
    },
  };
}

/**
 * Has AWS KMS make 32 random octets and give out their wrapped form alone, into a new file, durable when it resolves.
 * The key itself is first seen by whoever may call Decrypt.
 * @throws KeyturnError `conflict` when the file exists, `keystore_insecure` for a folder that others can enter,
 *   `keystore_unavailable`, `config_invalid`.
 */
export async function generateKmsMasterKey(options: KmsMasterKeyOptions): Promise<MasterKeySource> {
  await writeWrappedKey(options.wrappedFile, () =>
    asking(options, 'GenerateDataKeyWithoutPlaintext', async (sdk, abortSignal) => {
      const input = { ...keyAndContext(options), NumberOfBytes: MASTER_KEY_OCTETS };
      const { CiphertextBlob: blob } = await sdk.send(new GenerateDataKeyWithoutPlaintextCommand(input), {
        abortSignal,
      });
      if (blob === undefined || blob.length === 0 || blob.length > MAX_WRAPPED_OCTETS) throw notKms();
      return encodeBase64(Buffer.from(blob));
    }),
  );
  return kmsMasterKey(options);
}

/** What AWS KMS says of a key, e.g. `Enabled`, `Disabled`, `PendingDeletion`. A permission that Keyturn does without. */
export function stateOfKey(options: Pick<KmsMasterKeyOptions, 'keyId'> & AwsConnectionOptions): Promise<string> {
  return asking(options, 'DescribeKey', async (sdk, abortSignal) => {
    const { KeyMetadata: key } = await sdk.send(new DescribeKeyCommand({ KeyId: options.keyId }), { abortSignal });
    if (key?.KeyState === undefined) throw notKms();
    return key.KeyState;
  });
}

/** The context is authenticated with the wrapped key: it opens for this purpose and this store alone. */
function keyAndContext({ keyId, store }: KmsMasterKeyOptions) {
  return { KeyId: keyId, EncryptionContext: { 'keyturn:purpose': 'master-key', 'keyturn:store': store } };
}

async function wrappedIn(file: string): Promise<Buffer> {
  const { octets } = await readWhole(file, { maxOctets: 2 * MAX_WRAPPED_OCTETS });
  const end = octets.indexOf(0x0a);
  const wrapped = decodeBase64(end === -1 ? octets : octets.subarray(0, end));
  if (wrapped !== null && wrapped.length > 0 && wrapped.length <= MAX_WRAPPED_OCTETS) return wrapped;
  throw new KeyturnError('master_key_wrong', `${file} does not hold a wrapped key.`, {
    fix: 'Give the file that was written when the master key was made.',
  });
}

function unwrapped(octets: Uint8Array | undefined, file: string): SecretBytes {
  if (octets === undefined) throw notKms();
  const key = SecretBytes.copyOf(octets);
  octets.fill(0);
  if (key.length === MASTER_KEY_OCTETS) return key;
  key.dispose();
  throw new KeyturnError('master_key_wrong', `What ${file} holds is not a master key once it is unwrapped.`);
}

async function asking<T>(
  options: Pick<KmsMasterKeyOptions, 'keyId'> & AwsConnectionOptions,
  operation: Operation,
  send: (sdk: KMSClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const connection = await connectionOf(options, () => new KMSClient().config.region());
  const sdk = kmsClient(connection);
  const policy = operation === 'Decrypt' ? 'keyturn-master-key.json' : 'keyturn-master-key-making.json';
  const call = { operation, about: `key ${options.keyId}`, policy, region: connection.region };
  try {
    const guard = new Guard(() => sdk.config.credentials(), connection.guard);
    return await guard.within(connection.guard.callMs, call, (signal) => send(sdk, signal));
  } finally {
    sdk.destroy();
  }
}

function kmsClient({ sdk: settings, region }: Connection): KMSClient {
  const sdk = new KMSClient({ ...settings, region });
  sdk.middlewareStack.add((next) => (args) => recordingAttempt(() => next(args)), {
    step: 'finalizeRequest',
    priority: 'low',
    name: 'keyturnAttempts',
  });
  return sdk;
}

function notKms(): KeyturnError {
  return awsError('not_aws', 'What answered for AWS KMS does not speak as it does.', { fix: 'Check the endpoint.' });
}
