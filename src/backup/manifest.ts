import { canonicalJson, type JsonObject } from '../core/canonical-json.ts';
import { KeyturnError } from '../core/errors.ts';
import { damaged } from './damage.ts';

const HEADER = 'keyturn-backup/1';
/** That of a signed note, see docs/formats/audit-log.md. */
export const MAX_NOTE_OCTETS = 131_072;
const NAME =
  /^(?:config|ledger|listener-ca|keystore|(?:stores|wrapped)\/[a-z0-9][a-z0-9-]{0,63}|(?:access|partners)(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,4})$/;

/** One file of a backup: what it is, not where it lay. */
export interface BackupFile {
  readonly name: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** A key store as of the backup. `external`: its keys rest elsewhere and are not in the backup. */
export interface BackupStore {
  readonly store: string;
  readonly kind: 'file' | 'external';
  /** Null for a store that can't attest. */
  readonly generation: number | null;
}

export interface Manifest {
  readonly backup: string;
  /** RFC 3339. */
  readonly takenAt: string;
  readonly by: string;
  readonly origin: string;
  readonly log: { readonly generation: number; readonly size: number; readonly checkpoint: string };
  readonly stores: readonly BackupStore[];
  /** In the order in which their octets follow. */
  readonly files: readonly BackupFile[];
}

/** The text that the log's key signs. @throws KeyturnError `payload_too_large` for too many files. */
export function manifestText({ origin, ...rest }: Manifest): string {
  const text = `${HEADER}\n${origin}\n${canonicalJson(rest as unknown as JsonObject)}\n`;
  if (Buffer.byteLength(text) <= MAX_NOTE_OCTETS - 1_024) return text;
  throw new KeyturnError('payload_too_large', 'There are more policy and profile files than a backup names.', {
    fix: 'Merge policy files, and keep other things out of their folders.',
  });
}

/** The text of a signed note, not verified: for what must be read before the key is at hand. */
export function unverifiedText(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}

/** Reads a manifest (attacker-controlled until its signature is verified). @throws KeyturnError `backup_invalid`. */
export function parseManifest(text: string): Manifest {
  const [header, origin = '', json = '', ...more] = text.split('\n');
  if (header !== HEADER || more.length !== 1 || more[0] !== '') throw wrong('form');
  const value = object(parseJson(json), 'form');
  const log = object(value['log'], 'log');
  const files = list(value['files'], 'files').map(parseFile);
  if (new Set(files.map(({ name }) => name)).size !== files.length) throw wrong('files');
  return {
    backup: words(value['backup'], 'backup'),
    takenAt: words(value['takenAt'], 'takenAt'),
    by: words(value['by'], 'by'),
    origin,
    log: {
      generation: count(log['generation'], 'log'),
      size: count(log['size'], 'log'),
      checkpoint: words(log['checkpoint'], 'log'),
    },
    stores: list(value['stores'], 'stores').map(parseStore),
    files,
  };
}

function parseFile(value: unknown): BackupFile {
  const file = object(value, 'files');
  const name = words(file['name'], 'files');
  const sha256 = words(file['sha256'], 'files');
  if (!NAME.test(name) || !/^[0-9a-f]{64}$/.test(sha256)) throw wrong('files');
  return { name, size: count(file['size'], 'files'), sha256 };
}

function parseStore(value: unknown): BackupStore {
  const store = object(value, 'stores');
  const { kind, generation } = store;
  if (kind !== 'file' && kind !== 'external') throw wrong('stores');
  return {
    store: words(store['store'], 'stores'),
    kind,
    generation: generation === null ? null : count(generation, 'stores'),
  };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw wrong('form');
  }
}

function object(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where);
  return { ...value };
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(where);
  return value;
}

function words(value: unknown, where: string): string {
  if (typeof value !== 'string') throw wrong(where);
  return value;
}

function count(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(where);
  return value;
}

function wrong(where: string): KeyturnError {
  return damaged(`its manifest is not as it should be (${where})`);
}
