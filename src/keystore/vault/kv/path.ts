import { KeyturnError } from '../../../core/errors.ts';
import type { RecordName } from '../../record-name.ts';

const SEGMENTS = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,5}$/;

/** Where records lie in a KV version 2 engine: `<mount>/data/<prefix>/<record>` and `<mount>/metadata/…`. */
export class KvPath {
  readonly mount: string;
  readonly prefix: string;

  /** @throws KeyturnError `config_invalid` unless both are plain paths. */
  constructor(mount: string, prefix: string) {
    for (const [name, path] of Object.entries({ mount, prefix })) {
      if (SEGMENTS.test(path) && !path.includes('..')) continue;
      throw new KeyturnError('config_invalid', `The ${name} of the Vault key store is not a plain path.`, {
        fix: 'Letters, digits, dots, dashes and underscores between single slashes; none at the ends.',
      });
    }
    this.mount = mount;
    this.prefix = prefix;
  }

  data(record: RecordName): string {
    return `${this.mount}/data/${this.prefix}/${record}`;
  }

  metadata(record: RecordName): string {
    return `${this.mount}/metadata/${this.prefix}/${record}`;
  }

  /** For LIST; `folder` is empty, or ends in a slash. */
  folder(folder: string): string {
    return `${this.mount}/metadata/${this.prefix}/${folder}`;
  }
}
