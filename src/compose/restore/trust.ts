import { lstat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { LogVerifier } from '../../audit/checkpoint.ts';
import { damaged } from '../../backup/damage.ts';
import { type Manifest, unverifiedText } from '../../backup/manifest.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { VaultLogin } from '../../keystore/vault/options.ts';
import type { Config } from '../config.ts';
import type { MasterKey } from '../settings/master-key.ts';
import { OWN_STORE } from '../settings/stores.ts';

/** What is unpacked, and by nothing shown to be ours yet. */
export interface Claimed {
  readonly note: string;
  readonly manifest: Manifest;
}

/**
 * For whoever has the log's key at hand: before anything that the backup's configuration says is done. Anybody can
 * encrypt to the recipient.
 * @throws KeyturnError `backup_invalid` when none of `keys` (vkeys) has signed the manifest; `invalid_input` for what is
 * no vkey; never for no keys.
 */
export function requireSigned({ note, manifest }: Claimed, keys: readonly string[]): void {
  if (keys.length === 0) return;
  // A vkey begins with the log's name.
  const ours = keys.filter((key) => key.startsWith(`${manifest.origin}+`));
  if (ours.length === 0) throw damaged('the log key that was given is of another log');
  if (openedText(new LogVerifier({ origin: manifest.origin, keys: ours }), note) !== unverifiedText(note)) {
    throw damaged('no log key that was given has signed it');
  }
}

/** Null for a note that none of the keys signed. */
export function openedText(verifier: LogVerifier, note: string): string | null {
  try {
    return verifier.openText(note);
  } catch (error) {
    if (isKeyturnError(error, 'audit_invalid')) return null;
    throw error;
  }
}

export interface Trust {
  /** Vkeys by which it was verified already. */
  readonly keys: readonly string[];
  /** Its key store opens under this or not at all, and then shows by whose log it was signed. */
  readonly masterKeyFile: string | undefined;
  /** Do what its configuration says, whoever wrote it. */
  readonly trusted: boolean;
  /** Told what that is, before it is done. */
  readonly onTrusted: (doings: readonly string[]) => void;
}

/**
 * Without the log's key and without a secret of the operator's own, nothing shows who made a backup until its
 * configuration has been followed: it could name a server that takes our credentials, and open a key store of its own.
 * @throws KeyturnError `invalid_input`, which says what would be done and what to give instead; `backup_invalid` for one
 * that brings its own master key.
 */
export async function requireTrust(config: Config, { keys, masterKeyFile, trusted, onTrusted }: Trust): Promise<void> {
  if (keys.length > 0 || masterKeyFile !== undefined || 'passphrase' in config.masterKey) return;
  if (await isMissingInside(config)) return;
  const doings = doingsOf(config);
  if (trusted) return onTrusted(doings);
  throw new KeyturnError(
    'invalid_input',
    `Nothing shows yet who made this backup, and its own configuration would be followed: ${doings.join('; ')}.`,
    {
      fix:
        'Give the log’s key: --connection with a connection file of a client, or --key; or the master key: ' +
        '--master-key-file. If none is at hand, and all of this is as you know it: the same command with --trust-backup.',
      facts: { doings: doings.join('; ') },
    },
  );
}

/** The ordinary case of a master key beside the instance, which no backup holds: the store's opening asks for it. */
async function isMissingInside({ home, masterKey }: Config): Promise<boolean> {
  const path =
    'file' in masterKey ? masterKey.file : 'passphrase-file' in masterKey ? masterKey['passphrase-file'] : '';
  if (path === '' || !isInside(home, path)) return false;
  if ((await lstat(path).catch(() => null)) === null) return true;
  throw damaged('it brings what its configuration calls the master key, and no backup of ours does');
}

/** Everything outside of the new folder that is asked, read or written because the configuration says so. */
function doingsOf(config: Config): string[] {
  const { home, masterKey, stores, certificate, checkpoint } = config;
  const files = stores.flatMap((setting) => (setting.kind === 'file' ? [setting] : []));
  const read = 'ca' in certificate ? [] : [certificate.clientCa];
  return [
    ...[{ name: OWN_STORE, masterKey }, ...files].map(
      ({ name, masterKey: key }) => `${openingOf(key)} (store ${name})`,
    ),
    ...read.filter((path) => !isInside(home, path)).map((path) => `read ${path}`),
    ...(isInside(home, checkpoint) ? [] : [`compare with ${checkpoint}, and replace it`]),
  ];
}

function openingOf(key: MasterKey): string {
  if ('file' in key) return `read ${key.file} as the master key`;
  if ('passphrase' in key) return 'ask for a passphrase';
  if ('passphrase-file' in key) return `read ${key['passphrase-file']} as the passphrase`;
  if ('systemd-credential' in key) return `read the systemd credential ${key['systemd-credential']}`;
  if ('vault-transit' in key) {
    const { address = 'the address in BAO_ADDR or VAULT_ADDR', login } = key['vault-transit'];
    return `ask Vault at ${address} for the master key, ${loggedInBy(login)}`;
  }
  const { endpoint, region } = key['aws-kms'];
  const where = endpoint ?? (region === undefined ? 'the region of this shell' : region);
  return `ask AWS KMS at ${where} for the master key, with the AWS credentials of this shell`;
}

function loggedInBy(login: VaultLogin | undefined): string {
  if (login === undefined) return 'with the token of this shell (BAO_TOKEN, VAULT_TOKEN, ~/.vault-token)';
  if (login.method === 'token_file') return `with the token in ${login.file}`;
  if (login.method === 'approle') return `with the secret ID in ${login.secretIdFile}`;
  if (login.method === 'certificate') return 'with the certificate that it names';
  return `with the token in ${login.tokenFile ?? 'the pod'}`;
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}
