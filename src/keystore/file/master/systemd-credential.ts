import { join } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { checkPrivateFolder } from '../disk/owner-only.ts';
import { readMasterKeyFile } from './octets-file.ts';
import type { MasterKeySource } from './source.ts';

/**
 * A master key that the service manager hands over, `LoadCredentialEncrypted=name:…` in the unit: a file in the
 * folder which `CREDENTIALS_DIRECTORY` names (systemd.exec(5), Credentials). Content as for a key file.
 */
export function systemdCredential(name: string, environment: NodeJS.ProcessEnv = process.env): MasterKeySource {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(name)) {
    throw new KeyturnError('config_invalid', 'That is not the name of a systemd credential.');
  }
  return {
    kind: 'key',
    description: `systemd credential ${name}`,
    read: async () => {
      const folder = environment['CREDENTIALS_DIRECTORY'];
      if (folder === undefined || folder === '') {
        throw new KeyturnError(
          'config_invalid',
          `There is no systemd credential ${name}: no credentials were passed.`,
          {
            fix: `Add LoadCredentialEncrypted=${name} to the unit and start Keyturn through systemd.`,
          },
        );
      }
      await checkPrivateFolder(folder, 'systemd');
      return readMasterKeyFile(join(folder, name), 'systemd');
    },
  };
}
