import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { dispose, type Field, fieldsOf, pathsOf } from './fields.ts';

/** A secret that others put into a store: its fields, or its octets as a whole. Whoever holds it disposes of it. */
export class ForeignSecret implements Disposable {
  /** What its store calls the version that was read. */
  readonly version: string;
  readonly #path: string;
  /** By path. Null for what is no JSON object. */
  readonly #fields: ReadonlyMap<string, Field> | null;
  /** Null where the store knows fields alone. */
  readonly #whole: SecretBytes | null;

  private constructor(
    path: string,
    version: string,
    fields: ReadonlyMap<string, Field> | null,
    whole: SecretBytes | null,
  ) {
    this.#path = path;
    this.version = version;
    this.#fields = fields;
    this.#whole = whole;
  }

  /** Of the JSON object between `from` and `to`; null when there is none. The octets stay the caller's. */
  static ofObject(path: string, version: string, octets: Buffer, range: { from: number; to: number }) {
    const fields = fieldsOf(octets, range);
    return fields === null ? null : new ForeignSecret(path, version, fields, null);
  }

  /** Of octets that are the secret, and may be a JSON object. Takes ownership of `whole`. */
  static ofWhole(path: string, version: string, whole: SecretBytes): ForeignSecret {
    return new ForeignSecret(path, version, fieldsOf(whole.bytes, { from: 0, to: whole.length }), whole);
  }

  /**
   * The octets of one field, named by its path (`tls.key`), or of the whole for null; they go when the secret is disposed of.
   * @throws KeyturnError `not_found`, with the paths there are; never with a value.
   */
  octets(field: string | null): SecretBytes {
    if (field === null) {
      if (this.#whole !== null) return this.#whole;
      throw this.#missing(`${this.#path} is made of fields: name the one that holds the key.`);
    }
    if (this.#fields === null) {
      throw new KeyturnError('not_found', `${this.#path} has no fields: it is not a JSON object.`, {
        fix: 'Leave the fields out: it is then read as a whole.',
      });
    }
    const found = this.#fields.get(field);
    if (found === undefined) throw this.#missing(`${this.#path} has no field of that name.`);
    if (typeof found === 'object' && found.length > 0) return found;
    if (found === 'fields') throw this.#missing(`That field of ${this.#path} holds fields itself.`);
    if (found === 'ambiguous') throw this.#missing(`That path leads to more than one field of ${this.#path}.`);
    throw this.#missing(`That field of ${this.#path} is empty or no text.`);
  }

  #missing(message: string): KeyturnError {
    const names = pathsOf(this.#fields ?? new Map()).map((path) => path.slice(0, 128));
    return new KeyturnError('not_found', message, {
      fix: names.length === 0 ? 'It has no fields at all.' : `Its fields: ${names.slice(0, 50).join(', ')}.`,
    });
  }

  [Symbol.dispose](): void {
    for (const field of this.#fields?.values() ?? []) dispose(field);
    this.#whole?.dispose();
  }
}
