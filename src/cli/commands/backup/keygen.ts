import { newIdentity } from '../../../backup/identity.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import type { Context } from '../../context.ts';
import { NewFile } from '../../terminal/new-file.ts';
import { askNewSecret, secretFrom } from '../../terminal/prompt.ts';

interface Options {
  readonly out?: string;
  readonly passphrase?: boolean;
  readonly passphraseFile?: string;
}

/** Asks no server: best run on a machine that never sees one. */
export default async function backupKeygen({ terminal }: Context, options: Options): Promise<void> {
  const { out } = options;
  if (out === undefined) {
    throw new KeyturnError('invalid_input', 'Say where the identity goes.', { fix: 'Give --out FILE.' });
  }
  using passphrase = await passphraseOf(options);
  await using file = await NewFile.make(out, 0o600);
  const { file: octets, recipient } = await newIdentity(passphrase);
  using secret = octets;
  await file.keep(secret.bytes);
  terminal.result({ identity: out, recipient, passphrase: passphrase !== null }, [
    `Wrote ${out}: it opens backups. Keep it offline, in two places.`,
    recipient,
  ]);
  terminal.note('Next: put this line under backup.recipients in keyturn.yaml of the server.');
}

async function passphraseOf({ passphrase, passphraseFile }: Options): Promise<SecretBytes | null> {
  if (passphraseFile !== undefined) return secretFrom(passphraseFile, '');
  return passphrase === true ? askNewSecret('Passphrase of the identity') : null;
}
