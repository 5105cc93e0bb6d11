import { type CompiledQuery, sql } from 'kysely';
import type { Builder } from './builder.ts';
import { oneOf, table } from './first-schema.ts';

const ROTATION_STATES = ['running', 'halted', 'undoing', 'completed', 'aborted', 'rolled-back'];
const TASK_KINDS = ['import', 'certificate', 'revoke', 'look'];
const TASK_STATES = ['open', 'done', 'cancelled'];

/** Migration 4: replacements of versions, and what people do for them. Never edited: a change is a new migration. */
export function rotationsSchema(db: Builder): { compile(): CompiledQuery }[] {
  return [
    table(db, 'rotations', {
      text: ['id', 'credential', 'reason', 'asked_by', 'issuer', 'state', 'step', 'waits_for', 'facts'],
      bigint: ['step_since', 'revision', 'created_at', 'changed_at'],
      textOrNull: ['store', 'record', 'spki'],
      bigintOrNull: ['replaces', 'version', 'ended_at'],
    })
      .addPrimaryKeyConstraint('rotations_key', ['id'])
      .addForeignKeyConstraint('rotations_credential', ['credential'], 'credentials', ['name'])
      .addCheckConstraint('rotations_state', oneOf('state', ROTATION_STATES)),
    // One at a time.
    db.schema
      .createIndex('rotations_open')
      .unique()
      .on('rotations')
      .column('credential')
      .where(sql.ref('ended_at'), 'is', null),
    db.schema.createIndex('rotations_by_credential').on('rotations').columns(['credential', 'created_at']),
    table(db, 'tasks', {
      text: ['id', 'rotation', 'credential', 'kind', 'state', 'owner', 'title', 'body'],
      bigint: ['due_at', 'reminders', 'created_at'],
      textOrNull: ['closed_by', 'note'],
      bigintOrNull: ['reminded_at', 'closed_at'],
    })
      .addPrimaryKeyConstraint('tasks_key', ['id'])
      .addForeignKeyConstraint('tasks_rotation', ['rotation'], 'rotations', ['id'])
      .addCheckConstraint('tasks_kind', oneOf('kind', TASK_KINDS))
      .addCheckConstraint('tasks_state', oneOf('state', TASK_STATES)),
    db.schema.createIndex('tasks_by_rotation').on('tasks').column('rotation'),
    db.schema.createIndex('tasks_by_state').on('tasks').columns(['state', 'due_at']),
  ];
}

/** The migration that adds a kind of tasks: what a person decides. Never edited. */
export function decisionsSchema(db: Builder): { compile(): CompiledQuery }[] {
  return [
    db.schema.alterTable('tasks').dropConstraint('tasks_kind'),
    db.schema.alterTable('tasks').addCheckConstraint('tasks_kind', oneOf('kind', [...TASK_KINDS, 'decide'])),
  ];
}
