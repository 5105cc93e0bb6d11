import { resolve } from 'node:path';
import { loadConfig } from '../../../compose/config.ts';
import { rotateMasterKey } from '../../../compose/upkeep/rotate-master-key.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { askNewSecret, askSecret } from '../../terminal/prompt.ts';

interface Options {
  readonly newKeyFile?: string;
  readonly newPassphrase?: boolean;
}

export default async function storeRotate({ home, terminal }: Context, options: Options): Promise<void> {
  if (options.newPassphrase === true && options.newKeyFile !== undefined) {
    throw new KeyturnError('invalid_input', 'There is one master key.', {
      fix: 'Give --new-key-file FILE or --new-passphrase.',
    });
  }
  const setting =
    options.newPassphrase === true
      ? ({ passphrase: 'prompt' } as const)
      : options.newKeyFile === undefined
        ? null
        : { file: resolve(options.newKeyFile) };
  if (setting === null) {
    throw new KeyturnError('invalid_input', 'Name the new master key.', {
      fix: 'Give --new-key-file FILE or --new-passphrase.',
    });
  }
  const config = await loadConfig(home);
  const { generation } = await rotateMasterKey(config, setting, { current: askSecret, next: askNewSecret });
  terminal.result({ generation, masterKey: setting }, [
    `The key store has a new master key (generation ${generation}); the old one opens it no more.`,
    'Backups made before still open with the old master key: keep or destroy both together.',
  ]);
}
