import { createHash } from 'node:crypto';
import { SecretBytes } from '../../../core/secret-bytes.ts';

/**
 * Secret IDs that came out of a wrapping, each of which can be opened once, by whoever comes first. Of each place the
 * newest alone is kept; what no place holds any more is wiped. Of wrapping tokens a digest is kept.
 */
export class OpenedSecretIds {
  readonly #newest = new Map<string, string>();
  readonly #opened = new Map<string, Promise<SecretBytes>>();

  /** How many are in memory. */
  get size(): number {
    return this.#opened.size;
  }

  /**
   * The secret ID of this wrapping token, opened by whoever asks first. What failed may be asked again.
   * @param server whom the token is of.
   * @param place where the token lies, to be known again when another lies there.
   */
  of(server: string, place: string, wrappingToken: string, open: () => Promise<string>): Promise<string> {
    const token = createHash('sha256').update(`${server}\0${wrappingToken}`).digest('hex');
    this.#newest.set(`${server}\0${place}`, token);
    this.#forgetOthers();
    const opening = this.#opened.get(token) ?? this.#open(token, open);
    // At once, before whoever forgets it can wipe it.
    return opening.then((secretId) => secretId.bytes.toString('utf8'));
  }

  #open(token: string, open: () => Promise<string>): Promise<SecretBytes> {
    const opening = open().then((secretId) => SecretBytes.own(Buffer.from(secretId, 'utf8')));
    this.#opened.set(token, opening);
    opening.catch(() => this.#opened.get(token) === opening && this.#opened.delete(token));
    return opening;
  }

  #forgetOthers(): void {
    const kept = new Set(this.#newest.values());
    for (const [token, opening] of this.#opened) {
      if (kept.has(token)) continue;
      this.#opened.delete(token);
      opening.then(
        (secretId) => secretId.dispose(),
        () => {},
      );
    }
  }
}
