import { type ColumnDefinitionBuilder, type CompiledQuery, type CreateTableBuilder, sql } from 'kysely';
import type { Builder } from './builder.ts';

type Statement = { compile(): CompiledQuery };

/** In order of code points, as the other adapter sorts, whatever the locale of the database. */
const TEXT = sql`text COLLATE "C"`;
const required = (column: ColumnDefinitionBuilder) => column.notNull();

/** Migration 1. Never edited: a change is a new migration. */
export function firstSchema(db: Builder): Statement[] {
  return [...credentialTables(db), ...accessTables(db), ...logTables(db)];
}

interface Columns {
  readonly text?: readonly string[];
  readonly bigint?: readonly string[];
  readonly textOrNull?: readonly string[];
  readonly bigintOrNull?: readonly string[];
}

export function table(
  db: Builder,
  name: string,
  { text = [], bigint = [], textOrNull = [], bigintOrNull = [] }: Columns,
) {
  let made: CreateTableBuilder<string, string> = db.schema.createTable(name);
  for (const column of text) made = made.addColumn(column, TEXT, required);
  for (const column of bigint) made = made.addColumn(column, 'bigint', required);
  for (const column of textOrNull) made = made.addColumn(column, TEXT);
  for (const column of bigintOrNull) made = made.addColumn(column, 'bigint');
  return made;
}

export function oneOf(column: string, values: readonly string[]) {
  return sql`${sql.ref(column)} IN (${sql.join(values.map((value) => sql.lit(value)))})`;
}

const VERSION_STATES = ['pending', 'staged', 'current', 'previous', 'retired', 'destroyed'].concat([
  'compromised',
  'abandoned',
  'quarantined',
]);

function credentialTables(db: Builder): Statement[] {
  return [
    table(db, 'credentials', {
      text: ['name', 'partner', 'environment'],
      bigint: ['created_at'],
    }).addPrimaryKeyConstraint('credentials_key', ['name']),
    table(db, 'versions', {
      text: [
        'credential',
        'state',
        'spki',
        'serial',
        'subject',
        'issuer',
        'certificate',
        'chain',
        'store',
        'record',
        'custody',
      ],
      bigint: ['version', 'not_before', 'not_after', 'created_at', 'changed_at'],
    })
      .addPrimaryKeyConstraint('versions_key', ['credential', 'version'])
      .addForeignKeyConstraint('versions_credential', ['credential'], 'credentials', ['name'])
      .addCheckConstraint('versions_version', sql`version > 0`)
      .addCheckConstraint('versions_state', oneOf('state', VERSION_STATES)),
    // A key is used once in all time; only one that never reached its store may come again.
    db.schema
      .createIndex('versions_spki')
      .unique()
      .on('versions')
      .column('spki')
      .where(sql.ref('state'), '<>', sql.lit('abandoned')),
    db.schema
      .createIndex('versions_one_current')
      .unique()
      .on('versions')
      .column('credential')
      .where(sql.ref('state'), '=', sql.lit('current')),
    db.schema.createIndex('versions_by_state').on('versions').column('state'),
    table(db, 'companions', {
      text: ['credential', 'name', 'state', 'store', 'record'],
      bigint: ['generation', 'length', 'created_at'],
    })
      .addPrimaryKeyConstraint('companions_key', ['credential', 'name', 'generation'])
      .addForeignKeyConstraint('companions_credential', ['credential'], 'credentials', ['name'])
      .addCheckConstraint('companions_state', oneOf('state', ['pending', 'current', 'superseded', 'abandoned'])),
  ];
}

function accessTables(db: Builder): Statement[] {
  return [
    table(db, 'holds', {
      text: ['id', 'target', 'subject', 'reason', 'placed_by'],
      bigint: ['placed_at'],
      textOrNull: ['thaw_asked_by', 'lifted_by'],
      bigintOrNull: ['thaw_asked_at', 'lifted_at'],
    })
      .addPrimaryKeyConstraint('holds_key', ['id'])
      .addCheckConstraint('holds_target', oneOf('target', ['version', 'credential', 'principal', 'host', 'store'])),
    db.schema
      .createIndex('holds_in_force')
      .on('holds')
      .columns(['target', 'subject'])
      .where(sql.ref('lifted_at'), 'is', null),
    table(db, 'leases', {
      text: ['id', 'credential', 'principal', 'token', 'state'],
      bigint: ['version', 'granted_at', 'expires_at'],
      textOrNull: ['uses'],
      bigintOrNull: ['renewed_at'],
    })
      .addPrimaryKeyConstraint('leases_key', ['id'])
      .addForeignKeyConstraint('leases_of', ['credential', 'version'], 'versions', ['credential', 'version'])
      .addCheckConstraint('leases_state', oneOf('state', ['live', 'returned', 'expired', 'ended'])),
    db.schema.createIndex('leases_version').on('leases').columns(['credential', 'version', 'state']),
    db.schema.createIndex('leases_expiry').on('leases').columns(['state', 'expires_at']),
    table(db, 'tokens', {
      text: ['id', 'principal', 'hash', 'comment', 'created_by'],
      bigint: ['created_at', 'expires_at'],
      bigintOrNull: ['revoked_at'],
    })
      .addPrimaryKeyConstraint('tokens_key', ['id'])
      .addUniqueConstraint('tokens_hash', ['hash']),
    table(db, 'stores', { text: ['store', 'digest'], bigint: ['generation'] }).addPrimaryKeyConstraint('stores_key', [
      'store',
    ]),
    table(db, 'policies', { text: ['id', 'digest'], bigint: ['loaded_at'] })
      .addPrimaryKeyConstraint('policies_key', ['id'])
      .addCheckConstraint('policies_one', sql`id = 'current'`),
  ];
}

/** Level 0 of the tree is the column leaf of its entry; tree_nodes holds the complete subtrees above it. */
function logTables(db: Builder): Statement[] {
  const isHash = (column: string) => sql`octet_length(${sql.ref(column)}) = 32`;
  return [
    table(db, 'entries', { text: ['kind', 'actor', 'json'], bigint: ['idx', 'time'], textOrNull: ['credential'] })
      .addColumn('leaf', 'bytea', required)
      .addPrimaryKeyConstraint('entries_key', ['idx'])
      .addCheckConstraint('entries_leaf', isHash('leaf')),
    db.schema.createIndex('entries_kind').on('entries').columns(['kind', 'idx']),
    db.schema.createIndex('entries_actor').on('entries').columns(['actor', 'idx']),
    db.schema
      .createIndex('entries_credential')
      .on('entries')
      .columns(['credential', 'idx'])
      .where(sql.ref('credential'), 'is not', null),
    db.schema.createIndex('entries_time').on('entries').columns(['time', 'idx']),
    db.schema
      .createTable('tree_nodes')
      .addColumn('level', 'integer', required)
      .addColumn('idx', 'bigint', required)
      .addColumn('hash', 'bytea', required)
      .addPrimaryKeyConstraint('tree_nodes_key', ['level', 'idx'])
      .addCheckConstraint('tree_nodes_level', sql`level > 0`)
      .addCheckConstraint('tree_nodes_hash', isHash('hash')),
    // One for each durable commit, with the id of the batch that it was: so a lost answer can be asked for again.
    db.schema
      .createTable('checkpoints')
      .addColumn('size', 'bigint', required)
      .addColumn('note', 'text', required)
      .addColumn('batch', 'uuid', required)
      .addPrimaryKeyConstraint('checkpoints_key', ['size'])
      .addUniqueConstraint('checkpoints_batch', ['batch']),
    // One row: locked by every commit, its size compared and set. `needs` is the migration that a program must know.
    db.schema
      .createTable('head')
      .addColumn('id', 'integer', required)
      .addColumn('size', 'bigint', required)
      .addColumn('frontier', 'bytea', required)
      .addColumn('time', 'bigint', required)
      .addColumn('behind', 'boolean', required)
      .addColumn('needs', 'integer', required)
      .addPrimaryKeyConstraint('head_key', ['id'])
      .addCheckConstraint('head_one', sql`id = 1`),
  ];
}
