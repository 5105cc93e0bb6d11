import type { KeyStoreVerb } from '../keystore.ts';
import type { RecordName } from '../record-name.ts';
import type { KvPath } from './kv/path.ts';

/** One thing that a token must be allowed to do; `capability` as policies call it. */
export interface Privilege {
  readonly path: string;
  /** The path that a policy names for it: of all records where it is of one. Default: `path`. */
  readonly grant?: string;
  readonly capability: 'create' | 'read' | 'update' | 'delete' | 'list';
  /** What needs it. */
  readonly verb: KeyStoreVerb | 'mirror';
}

/**
 * Everything the adapter asks of Vault, path by verb. Vault's 403 names neither path nor capability, so this table
 * does; `policies/vault/keyturn.hcl` grants exactly this, and a test takes each away in turn.
 */
export function privileges(paths: KvPath, record: RecordName): readonly Privilege[] {
  const data = { path: paths.data(record), grant: paths.data('*') };
  const metadata = { path: paths.metadata(record), grant: paths.metadata('*') };
  return [
    { ...data, capability: 'create', verb: 'write' },
    { ...data, capability: 'read', verb: 'read' },
    { path: paths.folder(''), grant: metadata.grant, capability: 'list', verb: 'list' },
    { ...metadata, capability: 'delete', verb: 'destroy' },
    { ...metadata, capability: 'update', verb: 'mirror' },
  ];
}
