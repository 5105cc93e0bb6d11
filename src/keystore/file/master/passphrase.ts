import { KeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import type { MasterKeySource } from './source.ts';

const MAX_PASSPHRASE_OCTETS = 1024;
/** NIST SP 800-63B-4 section 3.1.1.2: a password that stands alone has at least 15 characters. */
const MIN_NEW_PASSPHRASE_OCTETS = 15;

/**
 * A passphrase that `ask` gives, e.g. from a prompt: UTF-8 octets, taken as they are (no trimming, no Unicode
 * normalisation), 1 to 1024 of them.
 */
export function passphrase(ask: () => Promise<SecretBytes>): MasterKeySource {
  return {
    kind: 'passphrase',
    description: 'passphrase',
    read: async () => {
      const octets = await ask();
      if (octets.length >= 1 && octets.length <= MAX_PASSPHRASE_OCTETS) return octets;
      octets.dispose();
      throw new KeyturnError('invalid_input', `A passphrase has 1 to ${MAX_PASSPHRASE_OCTETS} octets.`);
    },
  };
}

/**
 * For a passphrase that is going to lock a store.
 * @throws KeyturnError `invalid_input` when it is too short to stand against guessing.
 */
export function checkNewPassphrase(octets: SecretBytes): void {
  if (octets.length >= MIN_NEW_PASSPHRASE_OCTETS) return;
  throw new KeyturnError('invalid_input', `The passphrase has ${octets.length} octets.`, {
    fix: `Choose one of at least ${MIN_NEW_PASSPHRASE_OCTETS}, for instance five random words.`,
  });
}
