import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { ForeignSecret } from '../foreign/foreign-secret.ts';
import { isPlainPath, ownRecord } from '../foreign/reading.ts';
import type { SecretsClient } from './client.ts';
import { reasonOf } from './failure/reason.ts';

/**
 * The current version of a secret that others keep in this account and region, or at an ARN. The SDK makes a string of
 * what it receives, which can't be wiped; ours are octets.
 */
export async function readForeignSecret(client: SecretsClient, prefix: string, path: string): Promise<ForeignSecret> {
  if (!isPlainPath(path)) {
    throw new KeyturnError('invalid_input', 'That is neither the name nor the ARN of a secret.', {
      fix: 'Give it as aws secretsmanager list-secrets shows it.',
    });
  }
  if (isOwn(prefix, path)) throw ownRecord(path);
  const { Name, VersionId, SecretBinary, SecretString } = await ask(client, path);
  if (SecretBinary !== undefined) {
    const own = SecretBytes.copyOf(SecretBinary);
    SecretBinary.fill(0);
    return foreign(own, { prefix, path, name: Name, version: VersionId });
  }
  return foreign(SecretBytes.own(Buffer.from(SecretString ?? '', 'utf8')), {
    prefix,
    path,
    name: Name,
    version: VersionId,
  });
}

interface About {
  readonly prefix: string;
  readonly path: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
}

function foreign(octets: SecretBytes, { prefix, path, name = '', version = '' }: About): ForeignSecret {
  // A short ARN may have led to a record of ours after all.
  if (octets.length > 0 && !isOwn(prefix, name)) return ForeignSecret.ofWhole(path, version, octets);
  octets.dispose();
  if (isOwn(prefix, name)) throw ownRecord(path);
  throw new KeyturnError('not_found', `The AWS secret ${path} is empty.`, { fix: 'Check name, region and account.' });
}

/** By name, or by an ARN: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`. */
function isOwn(prefix: string, path: string): boolean {
  const name = path.startsWith('arn:') ? path.split(':').slice(6).join(':') : path;
  return name.startsWith(`${prefix}/`);
}

async function ask(client: SecretsClient, path: string) {
  try {
    return await client.getForeign(path);
  } catch (error) {
    if (reasonOf(error) !== 'absent' && reasonOf(error) !== 'invalid_state') throw error;
    throw new KeyturnError('not_found', `AWS has no secret ${path}, or it is scheduled for deletion.`, {
      fix: 'Check name, region and account: aws secretsmanager describe-secret',
    });
  }
}
