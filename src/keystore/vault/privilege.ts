import type { KeyStoreVerb } from '../keystore.ts';
import type { RecordName } from '../record-name.ts';
import type { KvPath } from './kv/path.ts';

/** One thing that a token must be allowed to do; `capability` as policies call it. */
export interface Privilege {
  readonly path: string;
  readonly capability: 'create' | 'read' | 'update' | 'delete' | 'list';
  /** What needs it. */
  readonly verb: KeyStoreVerb | 'mirror';
}

/**
 * Everything the adapter asks of Vault, path by verb. Vault's 403 names neither path nor capability, so this table
 * does; `policies/vault/keyturn.hcl` grants exactly this, and a test takes each away in turn.
 */
export function privileges(paths: KvPath, record: RecordName): readonly Privilege[] {
  return [
    { path: paths.data(record), capability: 'create', verb: 'write' },
    { path: paths.data(record), capability: 'read', verb: 'read' },
    { path: paths.folder(''), capability: 'list', verb: 'list' },
    { path: paths.metadata(record), capability: 'delete', verb: 'destroy' },
    { path: paths.metadata(record), capability: 'update', verb: 'mirror' },
  ];
}
