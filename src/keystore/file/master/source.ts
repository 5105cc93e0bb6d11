import type { SecretBytes } from '../../../core/secret-bytes.ts';

/**
 * Where the master key of a key store file comes from: 32 random octets (`key`), or a passphrase's UTF-8 octets,
 * which are stretched with what the file's header says (`passphrase`).
 */
export interface MasterKeySource {
  readonly kind: 'key' | 'passphrase';
  /** Kind and place for people, e.g. `key file /etc/keyturn/master.key`. No secret. */
  readonly description: string;
  /** Asked at open, and again when the data key is replaced. The answer is the caller's to dispose of. */
  read(): Promise<SecretBytes>;
}

export const MASTER_KEY_OCTETS = 32;
