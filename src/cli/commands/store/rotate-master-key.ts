import { resolve } from 'node:path';
import { loadConfig } from '../../../compose/config.ts';
import type { MasterKeySetting } from '../../../compose/settings/master-key.ts';
import { rotateMasterKey } from '../../../compose/upkeep/rotate-master-key.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { askNewSecret, askSecret } from '../../terminal/prompt.ts';
import { checkWrappedFile, noteOnWrapping, wrappedKeys } from '../wrapped-key.ts';

interface Options {
  readonly newKeyFile?: string;
  readonly newPassphrase?: boolean;
  readonly newVaultTransitKey?: string;
  readonly newAwsKmsKey?: string;
  readonly newWrappedFile?: string;
}

export default async function storeRotate({ home, terminal }: Context, options: Options): Promise<void> {
  const setting = newMasterKey(options);
  const config = await loadConfig(home);
  const { generation } = await rotateMasterKey(config, setting, { current: askSecret, next: askNewSecret });
  terminal.result({ generation, masterKey: setting }, [
    `The key store has a new master key (generation ${generation}); the old one opens it no more.`,
    'Backups made before still open with the old master key: keep or destroy both together.',
  ]);
  noteOnWrapping(terminal, setting);
}

const WAYS = 'Give --new-key-file FILE, --new-passphrase, --new-vault-transit-key NAME or --new-aws-kms-key KEY.';

function newMasterKey(options: Options): MasterKeySetting {
  const { newKeyFile, newPassphrase, newVaultTransitKey, newAwsKmsKey, newWrappedFile } = options;
  const wrapping = {
    ...(newVaultTransitKey === undefined ? {} : { vaultTransitKey: newVaultTransitKey }),
    ...(newAwsKmsKey === undefined ? {} : { awsKmsKey: newAwsKmsKey }),
  };
  const named: MasterKeySetting[] = [
    ...(newPassphrase === true ? [{ passphrase: 'prompt' } as const] : []),
    ...(newKeyFile === undefined ? [] : [{ file: resolve(newKeyFile) }]),
    ...wrappedKeys(wrapping, resolve(newWrappedFile ?? '')),
  ];
  const [setting] = named;
  if (named.length > 1) throw new KeyturnError('invalid_input', 'There is one master key.', { fix: WAYS });
  if (setting === undefined) throw new KeyturnError('invalid_input', 'Name the new master key.', { fix: WAYS });
  checkWrappedFile(newWrappedFile, setting);
  if (newWrappedFile !== undefined || Object.keys(wrapping).length === 0) return setting;
  throw new KeyturnError('invalid_input', 'The wrapped key needs a file.', {
    fix: 'Give --new-wrapped-file FILE, which is not there yet.',
  });
}
