import type { MasterKeySetting } from '../../compose/settings/master-key.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Keys of Vault transit and AWS KMS that options name for wrapping the master key. */
export function wrappedKeys(
  { vaultTransitKey, awsKmsKey }: { readonly vaultTransitKey?: string; readonly awsKmsKey?: string },
  wrappedFile: string,
): MasterKeySetting[] {
  return [
    ...(vaultTransitKey === undefined
      ? []
      : [{ 'vault-transit': { key: vaultTransitKey, 'wrapped-file': wrappedFile } }]),
    ...(awsKmsKey === undefined ? [] : [{ 'aws-kms': { key: awsKmsKey, 'wrapped-file': wrappedFile } }]),
  ];
}

/** @throws KeyturnError `invalid_input` for a file of a wrapped key where none is wrapped. */
export function checkWrappedFile(wrappedFile: string | undefined, setting: MasterKeySetting | undefined): void {
  if (wrappedFile === undefined || isWrapped(setting)) return;
  throw new KeyturnError('invalid_input', 'A file for the wrapped key goes with the key that wraps it.', {
    fix: 'Name that key too, of Vault transit or of AWS KMS.',
  });
}

/** The server asks at its start, by what its own environment says. */
export function noteOnWrapping(terminal: Terminal, setting: MasterKeySetting | undefined): void {
  if (!isWrapped(setting)) return;
  const [service, variables] =
    'vault-transit' in setting ? ['Vault', 'BAO_… and VAULT_…'] : ['AWS KMS', 'AWS_… (region, credentials)'];
  terminal.note(
    `${service} is asked at each start, and for nothing else. Give the server the same variables ${variables}, or write ` +
      'what they say into keystore.master-key of keyturn.yaml.',
  );
}

type Wrapped = Extract<MasterKeySetting, { 'vault-transit': unknown } | { 'aws-kms': unknown }>;

function isWrapped(setting: MasterKeySetting | undefined): setting is Wrapped {
  return setting !== undefined && ('vault-transit' in setting || 'aws-kms' in setting);
}
