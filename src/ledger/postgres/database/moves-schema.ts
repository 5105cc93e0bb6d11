import { type CompiledQuery, sql } from 'kysely';
import type { Builder } from './builder.ts';
import { oneOf, table } from './first-schema.ts';

const STATES = ['copying', 'left', 'destroying', 'destroyed', 'abandoned', 'returned'];

/** Migration 2: records on their way out of a key store. Never edited: a change is a new migration. */
export function movesSchema(db: Builder): { compile(): CompiledQuery }[] {
  return [
    table(db, 'moves', {
      text: ['id', 'credential', 'record', 'source', 'state'],
      bigint: ['created_at', 'changed_at'],
      textOrNull: ['target'],
    })
      .addPrimaryKeyConstraint('moves_key', ['id'])
      .addForeignKeyConstraint('moves_credential', ['credential'], 'credentials', ['name'])
      .addCheckConstraint('moves_state', oneOf('state', STATES)),
    // A record goes one way at a time out of one store.
    db.schema
      .createIndex('moves_open')
      .unique()
      .on('moves')
      .columns(['record', 'source'])
      .where(sql.ref('state'), 'in', [sql.lit('copying'), sql.lit('destroying')]),
    db.schema.createIndex('moves_by_state').on('moves').column('state'),
  ];
}
