import { createHash, randomUUID } from 'node:crypto';
import type { TreeFrontier } from '../../audit/tree.ts';
import { KeyturnError } from '../../core/errors.ts';
import { packFrontier } from '../log/frontier.ts';
import type { SignedHead } from '../log/proof.ts';
import type { Session } from '../postgres/connection/session.ts';
import { MIGRATIONS } from '../postgres/database/migrate.ts';
import { columnsOf, keyOf, TABLES } from '../sql/columns.ts';
import { dollarNumber, Values } from '../sql/statement.ts';
import type { TableName } from '../tables.ts';
import type { LogPage, Row } from './source.ts';

const ENTRIES = `INSERT INTO entries (idx, time, kind, actor, credential, json, leaf)
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])`;
const NODES = 'INSERT INTO tree_nodes (level, idx, hash) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])';
const CHECKPOINTS =
  'INSERT INTO checkpoints (size, note, batch) SELECT * FROM unnest($1::bigint[], $2::text[], $3::uuid[])';

/** What a move writes to, all in the one transaction that the session is in. */
export class MoveTarget {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** @throws KeyturnError `conflict` when there is anything but an empty log. */
  async clear(): Promise<void> {
    await this.#session.run({ sql: 'SELECT 1 FROM head FOR UPDATE' });
    for (const table of ['entries', ...TABLES]) {
      const { rows } = await this.#session.run({ sql: `SELECT 1 FROM ${table} LIMIT 1` });
      if (rows.length === 0) continue;
      throw new KeyturnError('conflict', `The database holds a ledger already: its table ${table} is not empty.`, {
        fix: 'Name another database or schema, or remove the schema if it is of no use.',
      });
    }
    await this.#session.run({ sql: 'DELETE FROM checkpoints' });
    await this.#session.run({ sql: 'DELETE FROM head' });
  }

  async addRows(table: TableName, rows: readonly Row[]): Promise<void> {
    const columns = columnsOf(table);
    const values = new Values(dollarNumber);
    const places = rows.map((row) => `(${columns.map((column) => values.add(row[column])).join(', ')})`);
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${places.join(', ')}`;
    await this.#session.run(values.statement(sql));
  }

  async addLog({ entries, nodes }: LogPage): Promise<void> {
    const parsed = entries.map(({ json }) => JSON.parse(json) as Readonly<Record<string, string>>);
    await this.#session.run({
      sql: ENTRIES,
      values: [
        entries.map(({ index }) => index),
        parsed.map(({ time }) => Date.parse(time ?? '')),
        parsed.map(({ kind }) => kind),
        parsed.map(({ actor }) => actor),
        parsed.map(({ credential }) => credential ?? null),
        entries.map(({ json }) => json),
        entries.map(({ leafHash }) => Buffer.from(leafHash, 'base64')),
      ],
    });
    const values = [nodes.map(({ level }) => level), nodes.map(({ index }) => index), nodes.map(({ hash }) => hash)];
    await this.#session.run({ sql: NODES, values });
  }

  async addCheckpoints(page: readonly SignedHead[]): Promise<void> {
    const values = [
      page.map(({ size }) => size),
      page.map(({ checkpoint }) => checkpoint),
      page.map(() => randomUUID()),
    ];
    await this.#session.run({ sql: CHECKPOINTS, values });
  }

  async setHead(frontier: TreeFrontier): Promise<void> {
    const needs = MIGRATIONS.findLastIndex(({ compatible }) => !compatible) + 1;
    await this.#session.run({
      sql: `INSERT INTO head (id, size, frontier, time, behind, needs)
        VALUES (1, $1, $2, COALESCE((SELECT max(time) FROM entries), 0), false, $3)`,
      values: [frontier.size, packFrontier(frontier), needs],
    });
  }

  /** Of all rows of a table, in order of its key. */
  async digest(table: TableName): Promise<string> {
    const digest = new RowsDigest(table);
    const sql = `SELECT ${columnsOf(table).join(', ')} FROM ${table} ORDER BY ${keyOf(table).join(', ')}`;
    await this.#session.run({ sql: `DECLARE moved CURSOR FOR ${sql}` });
    for (;;) {
      const { rows } = await this.#session.run({ sql: 'FETCH 1000 FROM moved' });
      if (rows.length === 0) break;
      digest.add(rows);
    }
    await this.#session.run({ sql: 'CLOSE moved' });
    return digest.value();
  }
}

/** Equal for equal rows in one order, whichever database gave them. */
export class RowsDigest {
  readonly #hash = createHash('sha256');
  readonly #columns: readonly string[];
  #count = 0;

  constructor(table: TableName) {
    this.#columns = columnsOf(table);
  }

  add(rows: readonly Row[]): void {
    for (const row of rows) this.#hash.update(`${JSON.stringify(this.#columns.map((column) => row[column]))}\n`);
    this.#count += rows.length;
  }

  value(): string {
    return `${this.#count} ${this.#hash.digest('hex')}`;
  }
}
