import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';

/** The companion secrets of a credential, wiped when they are replaced or no longer granted. */
export class Companions {
  readonly #secrets = new Map<string, SecretBytes>();

  /** Takes ownership; a companion that is not named stays. */
  update(fresh: ReadonlyMap<string, SecretBytes>): void {
    for (const [name, octets] of fresh) {
      this.#secrets.get(name)?.dispose();
      this.#secrets.set(name, octets);
    }
  }

  /** @throws KeyturnError `companion_missing`. */
  copy(credential: string, name: string): Buffer {
    const secret = this.#secrets.get(name);
    if (secret !== undefined) return Buffer.from(secret.bytes);
    const known = [...this.#secrets.keys()].join(', ');
    throw new KeyturnError('companion_missing', `${credential} has no companion of this name.`, {
      fix: known === '' ? 'Set one with `keyturn companion set`.' : `It has: ${known}.`,
    });
  }

  wipe(): void {
    for (const secret of this.#secrets.values()) secret.dispose();
    this.#secrets.clear();
  }
}
