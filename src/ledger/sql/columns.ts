import { KeyturnError } from '../../core/errors.ts';
import type { TableName, Tables } from '../tables.ts';

type Role = 'key' | 'cell';

/**
 * The closed list of names that may stand in SQL. Nothing outside it is ever put into a statement, whoever sent the
 * change; the compiler proves that it has every column of every row, and none besides.
 */
const COLUMNS = {
  credentials: { name: 'key', partner: 'cell', environment: 'cell', created_at: 'cell' },
  versions: {
    credential: 'key',
    version: 'key',
    state: 'cell',
    spki: 'cell',
    serial: 'cell',
    subject: 'cell',
    issuer: 'cell',
    not_before: 'cell',
    not_after: 'cell',
    certificate: 'cell',
    chain: 'cell',
    store: 'cell',
    record: 'cell',
    custody: 'cell',
    created_at: 'cell',
    changed_at: 'cell',
  },
  companions: {
    credential: 'key',
    name: 'key',
    generation: 'key',
    state: 'cell',
    store: 'cell',
    record: 'cell',
    length: 'cell',
    created_at: 'cell',
  },
  holds: {
    id: 'key',
    target: 'cell',
    subject: 'cell',
    reason: 'cell',
    placed_by: 'cell',
    placed_at: 'cell',
    thaw_asked_by: 'cell',
    thaw_asked_at: 'cell',
    lifted_by: 'cell',
    lifted_at: 'cell',
  },
  leases: {
    id: 'key',
    credential: 'cell',
    version: 'cell',
    principal: 'cell',
    token: 'cell',
    state: 'cell',
    granted_at: 'cell',
    renewed_at: 'cell',
    expires_at: 'cell',
    uses: 'cell',
    replaced_by: 'cell',
    in_use: 'cell',
  },
  tokens: {
    id: 'key',
    principal: 'cell',
    hash: 'cell',
    comment: 'cell',
    created_by: 'cell',
    created_at: 'cell',
    expires_at: 'cell',
    revoked_at: 'cell',
  },
  stores: { store: 'key', generation: 'cell', digest: 'cell' },
  moves: {
    id: 'key',
    credential: 'cell',
    record: 'cell',
    source: 'cell',
    target: 'cell',
    state: 'cell',
    created_at: 'cell',
    changed_at: 'cell',
  },
  rotations: {
    id: 'key',
    credential: 'cell',
    replaces: 'cell',
    version: 'cell',
    reason: 'cell',
    asked_by: 'cell',
    issuer: 'cell',
    store: 'cell',
    record: 'cell',
    spki: 'cell',
    state: 'cell',
    step: 'cell',
    step_since: 'cell',
    waits_for: 'cell',
    revision: 'cell',
    facts: 'cell',
    created_at: 'cell',
    changed_at: 'cell',
    ended_at: 'cell',
  },
  tasks: {
    id: 'key',
    rotation: 'cell',
    credential: 'cell',
    kind: 'cell',
    state: 'cell',
    owner: 'cell',
    title: 'cell',
    body: 'cell',
    due_at: 'cell',
    reminders: 'cell',
    reminded_at: 'cell',
    created_at: 'cell',
    closed_at: 'cell',
    closed_by: 'cell',
    note: 'cell',
  },
  authorities: {
    issuer: 'key',
    generation: 'key',
    state: 'cell',
    store: 'cell',
    record: 'cell',
    certificate: 'cell',
    crl: 'cell',
    crl_number: 'cell',
    created_at: 'cell',
    changed_at: 'cell',
  },
  issued: {
    issuer: 'key',
    serial: 'key',
    generation: 'cell',
    spki: 'cell',
    credential: 'cell',
    issuance: 'cell',
    certificate: 'cell',
    not_after: 'cell',
    issued_at: 'cell',
    revoked_at: 'cell',
    reason: 'cell',
  },
  policies: { id: 'key', digest: 'cell', loaded_at: 'cell' },
  fences: { name: 'key', number: 'cell' },
} satisfies { [T in TableName]: { [C in keyof Tables[T]]-?: Role } };

/** Every table on the list, those that others refer to first. */
export const TABLES = Object.keys(COLUMNS) as readonly TableName[];

/** @throws KeyturnError `invalid_input` for a table that is not on the list. */
export function tableName(name: string): TableName {
  if (isTable(name)) return name;
  throw new KeyturnError('invalid_input', 'A change names a table that the ledger does not have.');
}

/** @throws KeyturnError `invalid_input` for a column that is not on the table's list. */
export function columnName(table: TableName, name: string): string {
  if (Object.hasOwn(COLUMNS[table], name)) return name;
  throw new KeyturnError('invalid_input', `A change names a column that the ledger's table ${table} does not have.`);
}

const NAMES = new Map(Object.entries(COLUMNS).map(([table, columns]) => [table, Object.keys(columns)]));

/** All columns of a row, in one fixed order. */
export function columnsOf(table: TableName): readonly string[] {
  return NAMES.get(table) ?? [];
}

export function keyOf(table: TableName): readonly string[] {
  return Object.entries(COLUMNS[table]).flatMap(([column, role]) => (role === 'key' ? [column] : []));
}

function isTable(name: string): name is TableName {
  return Object.hasOwn(COLUMNS, name);
}
