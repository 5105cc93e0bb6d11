import type { AwsCall, Json, Refusal } from './protocol.ts';

/** Moto's own answer in the region of the call; null where it refuses. */
export type Ask = (action: string, input: Json) => Promise<Json | null>;

export interface Correction {
  readonly name: string;
  /** What moto does otherwise than AWS. */
  readonly reason: string;
  readonly actions: readonly string[];
  /** What AWS refuses; null to let the call pass. */
  readonly refuses?: (call: AwsCall, ask: Ask) => Promise<Refusal | null>;
  /** What the call means to AWS, said so that moto understands it. */
  readonly rewrites?: (input: Json) => Json;
}

const MAX_SECRET_OCTETS = 65_536;

/** Where moto 5.2.5 is not as AWS, in what Keyturn uses of it. Sources: the API references of both services. */
export const CORRECTIONS: readonly Correction[] = [
  {
    name: 'size',
    reason: 'takes secrets of any length; AWS at most 65,536 octets, and none that is empty',
    actions: ['secretsmanager:CreateSecret', 'secretsmanager:PutSecretValue'],
    refuses: async ({ input }) => {
      const { SecretBinary: binary, SecretString: text } = input;
      if (binary === undefined && text === undefined) return null;
      const octets =
        typeof binary === 'string' ? Buffer.from(binary, 'base64').length : Buffer.byteLength(String(text));
      if (octets > 0 && octets <= MAX_SECRET_OCTETS) return null;
      return { type: 'ValidationException', message: '1 validation error detected: length of the secret value' };
    },
  },
  {
    name: 'token used again',
    reason: 'PutSecretValue replaces the value of a version that exists; AWS refuses another value, ignores the same',
    actions: ['secretsmanager:PutSecretValue'],
    refuses: async ({ input }, ask) => {
      const { SecretId, ClientRequestToken: VersionId } = input;
      const standing = await ask('secretsmanager:GetSecretValue', { SecretId, VersionId });
      if (standing === null || VersionId === undefined) return null;
      if (standing['SecretBinary'] === input['SecretBinary'] && standing['SecretString'] === input['SecretString']) {
        return null;
      }
      return { type: 'ResourceExistsException', message: 'ClientRequestToken is in use for another value.' };
    },
  },
  {
    name: 'name scheduled for deletion',
    reason: 'CreateSecret answers with success or ResourceExistsException; AWS with InvalidRequestException',
    actions: ['secretsmanager:CreateSecret'],
    refuses: async ({ input }, ask) => {
      const standing = await ask('secretsmanager:DescribeSecret', { SecretId: input['Name'] });
      if (standing?.['DeletedDate'] === undefined || standing['DeletedDate'] === null) return null;
      const message = "You can't create this secret because a secret with this name is already scheduled for deletion.";
      return { type: 'InvalidRequestException', message };
    },
  },
  {
    name: 'current version',
    reason: 'GetSecretValue without version and stage answers with a stale one after labels moved; AWS with AWSCURRENT',
    actions: ['secretsmanager:GetSecretValue'],
    rewrites: (input) =>
      input['VersionId'] === undefined && input['VersionStage'] === undefined
        ? { ...input, VersionStage: 'AWSCURRENT' }
        : input,
  },
  {
    name: 'key for a new secret',
    reason: 'takes KMS keys that do not exist or are disabled',
    actions: ['secretsmanager:CreateSecret'],
    refuses: async ({ input }, ask) => {
      const { KmsKeyId } = input;
      if (KmsKeyId === undefined || (await keyState(KmsKeyId, ask)) === 'Enabled') return null;
      return { type: 'EncryptionFailure', message: "Secrets Manager can't encrypt the protected secret text." };
    },
  },
  {
    name: 'key of a secret that is read',
    reason: 'shows secrets whose KMS key is disabled or gone',
    actions: ['secretsmanager:GetSecretValue'],
    refuses: async ({ input }, ask) => {
      const standing = await ask('secretsmanager:DescribeSecret', { SecretId: input['SecretId'] });
      const key = standing?.['KmsKeyId'];
      if (typeof key !== 'string' || (await keyState(key, ask)) === 'Enabled') return null;
      return { type: 'DecryptionFailure', message: "Secrets Manager can't decrypt the protected secret text." };
    },
  },
  {
    name: 'key that is used itself',
    reason: 'answers with status 500 and HTML for a disabled key, and takes one that is pending deletion',
    actions: ['kms:Decrypt', 'kms:GenerateDataKeyWithoutPlaintext'],
    refuses: async ({ input }, ask) => {
      const state = await keyState(input['KeyId'], ask);
      if (state === 'Enabled') return null;
      if (state === 'Disabled') return { type: 'DisabledException', message: 'The key is disabled.' };
      if (state === null) return { type: 'NotFoundException', message: 'The key does not exist.' };
      return { type: 'KMSInvalidStateException', message: `The key is ${state}.` };
    },
  },
  {
    name: 'key of the ciphertext',
    reason: 'ignores KeyId, and answers AccessDeniedException for octets that are no ciphertext',
    actions: ['kms:Decrypt'],
    refuses: async ({ input }, ask) => {
      // As moto writes it, a ciphertext begins with the key's id.
      const blob = Buffer.from(String(input['CiphertextBlob']), 'base64');
      const id = blob.subarray(0, 36).toString('latin1');
      if ((await keyState(id, ask)) === null) return { type: 'InvalidCiphertextException', message: '' };
      if (String(input['KeyId']).endsWith(id)) return null;
      return { type: 'IncorrectKeyException', message: 'The ciphertext was not made by this key.' };
    },
  },
];

async function keyState(KeyId: unknown, ask: Ask): Promise<string | null> {
  const metadata = (await ask('kms:DescribeKey', { KeyId }))?.['KeyMetadata'];
  if (typeof metadata !== 'object' || metadata === null || !('KeyState' in metadata)) return null;
  return String(metadata.KeyState);
}
