import { z } from 'zod';
import type { KmsMasterKeyOptions } from '../../keystore/aws/kms.ts';
import type { TransitMasterKeyOptions } from '../../keystore/vault/transit.ts';
import { awsConnection, awsConnectionOptions } from './aws.ts';
import { given } from './given.ts';
import { type AbsolutePath, path } from './path.ts';
import { vaultConnection, vaultConnectionOptions } from './vault.ts';

/** What opens an encrypted key file, as configuration names it. */
export const masterKey = z.union(
  [
    z.strictObject({ file: path }),
    z.strictObject({ passphrase: z.literal('prompt') }),
    z.strictObject({ 'passphrase-file': path }),
    z.strictObject({ 'systemd-credential': z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/) }),
    z.strictObject({
      'vault-transit': z.strictObject({
        ...vaultConnection,
        mount: z.string().optional(),
        key: z.string(),
        'wrapped-file': path,
      }),
    }),
    z.strictObject({ 'aws-kms': z.strictObject({ ...awsConnection, key: z.string().min(1), 'wrapped-file': path }) }),
  ],
  {
    error:
      'give one of file: PATH, passphrase: prompt, passphrase-file: PATH, systemd-credential: NAME, ' +
      'vault-transit: {key, wrapped-file, …} and aws-kms: {key, wrapped-file, …}',
  },
);

/** As it stands in keyturn.yaml. */
export type MasterKeySetting = z.infer<typeof masterKey>;

/** As parsed: absolute paths, and what the adapters that unwrap it take. */
export type MasterKey =
  | { readonly file: string }
  | { readonly passphrase: 'prompt' }
  | { readonly 'passphrase-file': string }
  | { readonly 'systemd-credential': string }
  | { readonly 'vault-transit': TransitMasterKeyOptions }
  | { readonly 'aws-kms': KmsMasterKeyOptions };

/** `store` names the key file over all instances; AWS KMS binds the wrapped key to it. */
export function parseMasterKey(setting: MasterKeySetting, store: string, at: AbsolutePath): MasterKey {
  if ('file' in setting) return { file: at(setting.file) };
  if ('passphrase-file' in setting) return { 'passphrase-file': at(setting['passphrase-file']) };
  if ('vault-transit' in setting) {
    const { key, mount, 'wrapped-file': wrapped, ...connection } = setting['vault-transit'];
    const transit = { key, wrappedFile: at(wrapped), ...given({ mount }) };
    return { 'vault-transit': { ...vaultConnectionOptions(connection, at), ...transit } };
  }
  if ('aws-kms' in setting) {
    const { key, 'wrapped-file': wrapped, ...connection } = setting['aws-kms'];
    return { 'aws-kms': { ...awsConnectionOptions(connection), keyId: key, wrappedFile: at(wrapped), store } };
  }
  return setting;
}

/** The file that Keyturn makes for it: the key itself, or its wrapped form; null where others make it. */
export function fileOfMasterKey(key: MasterKey): string | null {
  if ('file' in key) return key.file;
  if ('vault-transit' in key) return key['vault-transit'].wrappedFile;
  return 'aws-kms' in key ? key['aws-kms'].wrappedFile : null;
}

/** Where what opens the store rests, for people: a file, or the word for how it is given. */
export function placeOfMasterKey(key: MasterKey): string {
  if ('file' in key) return key.file;
  if ('vault-transit' in key) return `${key['vault-transit'].wrappedFile}, wrapped by Vault transit`;
  if ('aws-kms' in key) return `${key['aws-kms'].wrappedFile}, wrapped by AWS KMS`;
  return Object.keys(key)[0] ?? '';
}
