import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { initInstance } from '../../../compose/init.ts';
import { placeOfLedger } from '../../../compose/settings/ledger.ts';
import { type MasterKeySetting, placeOfMasterKey } from '../../../compose/settings/master-key.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { askNewSecret } from '../../terminal/prompt.ts';
import { facts } from '../../terminal/terminal.ts';
import { namesPostgres, type PostgresOptions, postgresSetting } from '../ledger/postgres-options.ts';
import { checkWrappedFile, noteOnWrapping, wrappedKeys } from '../wrapped-key.ts';

interface Options extends PostgresOptions {
  readonly admin?: string;
  readonly host?: string;
  readonly port?: string;
  readonly passphrase?: boolean;
  readonly masterKeyFile?: string;
  readonly systemdCredential?: string;
  readonly vaultTransitKey?: string;
  readonly awsKmsKey?: string;
  readonly wrappedFile?: string;
  readonly origin?: string;
  readonly name?: string[];
}

export default async function init({ home, terminal }: Context, options: Options): Promise<void> {
  const masterKey = masterKeyOf(options);
  const postgres = namesPostgres(options) ? postgresSetting(options) : undefined;
  const made = await initInstance({
    home,
    administrator: options.admin ?? loginName(),
    ask: askNewSecret,
    ...(masterKey === undefined ? {} : { masterKey }),
    ...(postgres === undefined ? {} : { postgres }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: portOf(options.port) }),
    ...(options.name === undefined ? {} : { names: options.name }),
    ...(options.origin === undefined ? {} : { origin: options.origin }),
  });
  const { config, connectionFile, tokenFile, logKey, administrator } = made;
  terminal.result(
    { home: config.home, connectionFile, tokenFile, administrator, logKey, masterKey: config.masterKey },
    [
      `Made an instance in ${config.home}`,
      ...facts([
        ['administrator', `person:${administrator}`],
        ['connection file', connectionFile],
        ['token file', tokenFile],
        ['log key', logKey],
        ['ledger', placeOfLedger(config.ledger)],
        ['master key', placeOfMasterKey(config.masterKey)],
      ]),
    ],
  );
  terminal.note(
    '\nKeep the log key elsewhere (it verifies the audit log), and the master key on another disk than the store.',
  );
  noteOnWrapping(terminal, masterKey);
  terminal.note(`Next: keyturn server --home ${home}`);
}

/** Where the wrapped key rests unless `--wrapped-file` says otherwise; from the instance's folder. */
const WRAPPED_FILE = 'master/wrapped';

function masterKeyOf(options: Options): MasterKeySetting | undefined {
  const { passphrase, systemdCredential, masterKeyFile, wrappedFile } = options;
  const named: MasterKeySetting[] = [
    ...(passphrase === true ? [{ passphrase: 'prompt' } as const] : []),
    ...(systemdCredential === undefined ? [] : [{ 'systemd-credential': systemdCredential }]),
    ...(masterKeyFile === undefined ? [] : [{ file: resolve(masterKeyFile) }]),
    ...wrappedKeys(options, wrappedFile === undefined ? WRAPPED_FILE : resolve(wrappedFile)),
  ];
  if (named.length > 1) {
    throw new KeyturnError('invalid_input', 'There is one master key.', {
      fix: 'Give one of --passphrase, --master-key-file, --systemd-credential, --vault-transit-key and --aws-kms-key.',
    });
  }
  checkWrappedFile(wrappedFile, named[0]);
  return named[0];
}

function loginName(): string {
  try {
    return userInfo()
      .username.toLowerCase()
      .replaceAll(/[^a-z0-9._-]/g, '-');
  } catch {
    // In a container the user may have no entry in the password file.
    throw new KeyturnError('invalid_input', 'The login name is not known.', { fix: 'Give --admin NAME.' });
  }
}

function portOf(text: string): number {
  const port = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new KeyturnError('invalid_input', 'A port is a number from 0 to 65535.', { fix: 'Leave --port out for 8443.' });
}
