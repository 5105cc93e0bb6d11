import { type CompiledQuery, sql } from 'kysely';
import type { Builder } from './builder.ts';
import { oneOf, table } from './first-schema.ts';

/** Migration 5: built-in authorities, and what they have issued. Never edited: a change is a new migration. */
export function authoritiesSchema(db: Builder): { compile(): CompiledQuery }[] {
  return [
    table(db, 'authorities', {
      text: ['issuer', 'state', 'store', 'record', 'certificate', 'crl'],
      bigint: ['generation', 'crl_number', 'created_at', 'changed_at'],
    })
      .addPrimaryKeyConstraint('authorities_key', ['issuer', 'generation'])
      .addCheckConstraint('authorities_generation', sql`generation > 0`)
      .addCheckConstraint('authorities_state', oneOf('state', ['pending', 'current'])),
    table(db, 'issued', {
      text: ['issuer', 'serial', 'spki', 'credential', 'issuance', 'certificate'],
      bigint: ['generation', 'not_after', 'issued_at'],
      textOrNull: ['reason'],
      bigintOrNull: ['revoked_at'],
    })
      .addPrimaryKeyConstraint('issued_key', ['issuer', 'serial'])
      .addForeignKeyConstraint('issued_by', ['issuer', 'generation'], 'authorities', ['issuer', 'generation']),
    db.schema.createIndex('issued_spki').on('issued').columns(['issuer', 'spki']),
    // What a revocation list is made from.
    db.schema
      .createIndex('issued_revoked')
      .on('issued')
      .columns(['issuer', 'not_after'])
      .where(sql.ref('revoked_at'), 'is not', null),
  ];
}
