import { z } from 'zod';
import type { AwsStoreOptions } from '../../keystore/aws/options.ts';
import type { VaultStoreOptions } from '../../keystore/vault/options.ts';
import { awsStore, awsStoreOptions } from './aws.ts';
import { type MasterKey, masterKey, parseMasterKey } from './master-key.ts';
import { type AbsolutePath, path } from './path.ts';
import { vaultStore, vaultStoreOptions } from './vault.ts';

/** Name of the instance's own encrypted file, which holds the log's and the CA's keys, and by default all others. */
export const OWN_STORE = 'file';

const fileStore = z.strictObject({ kind: z.literal('file'), path, 'master-key': masterKey });

/** Key stores beside the instance's own, by the names that ledger and log know them by. */
export const stores = z
  .record(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'a store’s name has lower-case letters, digits and dashes' }),
    z.discriminatedUnion('kind', [vaultStore, awsStore, fileStore], { error: 'kind is one of vault, aws and file' }),
  )
  .refine((named) => !(OWN_STORE in named), { error: `${OWN_STORE} is the name of the instance’s own store` });

/** One store as parsed: what opens it. */
export type StoreSetting = { readonly name: string } & (
  | { readonly kind: 'file'; readonly path: string; readonly masterKey: MasterKey }
  | { readonly kind: 'vault'; readonly options: VaultStoreOptions; readonly adoptFrom: readonly string[] }
  | { readonly kind: 'aws'; readonly options: AwsStoreOptions; readonly adoptFrom: readonly string[] }
);

/** `origin` of the log: what belongs to one instance is named after it. */
export function storeSettings(named: z.infer<typeof stores>, origin: string, at: AbsolutePath): StoreSetting[] {
  return Object.entries(named).map(([name, setting]) => {
    if (setting.kind !== 'file') {
      const adoptFrom = setting['adopt-from'] ?? [];
      return setting.kind === 'vault'
        ? { name, kind: 'vault', options: vaultStoreOptions(setting, at), adoptFrom }
        : { name, kind: 'aws', options: awsStoreOptions(setting, origin), adoptFrom };
    }
    const own = parseMasterKey(setting['master-key'], `${origin}/${name}`, at);
    return { name, kind: 'file', path: at(setting.path), masterKey: own };
  });
}
