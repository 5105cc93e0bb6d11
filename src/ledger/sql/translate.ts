import { KeyturnError } from '../../core/errors.ts';
import type { Check, Write } from '../change.ts';
import type { TableName } from '../tables.ts';
import { columnName, columnsOf, keyOf, tableName } from './columns.ts';
import { conjunction } from './condition.ts';
import { type Placeholder, type Statement, Values } from './statement.ts';

const DEFAULT_ROWS = 1000;

/** `FindOptions` of the port, for a table that is known only at run time. */
export interface RowOrder {
  readonly orderBy?: string;
  readonly descending?: boolean;
  readonly limit?: number;
}

/** One row if any row matches, none otherwise. */
export function existsStatement(table: string, where: object, placeholder: Placeholder): Statement {
  const name = tableName(table);
  const values = new Values(placeholder);
  return values.statement(`SELECT 1 AS found FROM ${name} WHERE ${conjunction(name, where, values)} LIMIT 1`);
}

/** @throws KeyturnError `invalid_input` for names that are not on the list and for cells that cannot be stored. */
export function selectStatement(table: string, where: object, options: RowOrder, placeholder: Placeholder): Statement {
  const name = tableName(table);
  const values = new Values(placeholder);
  const text = `SELECT ${columnsOf(name).join(', ')} FROM ${name} WHERE ${conjunction(name, where, values)}`;
  return values.statement(`${text}${order(name, options)} LIMIT ${values.add(options.limit ?? DEFAULT_ROWS)}`);
}

/** One row with the column `n`. @throws KeyturnError `invalid_input` as above. */
export function countStatement(table: string, where: object, placeholder: Placeholder): Statement {
  const name = tableName(table);
  const values = new Values(placeholder);
  return values.statement(`SELECT count(*) AS n FROM ${name} WHERE ${conjunction(name, where, values)}`);
}

/** @throws KeyturnError `invalid_input` as above, and for a row that lacks a column. */
export function writeStatement(write: Write, placeholder: Placeholder): Statement {
  const values = new Values(placeholder);
  if ('insert' in write) {
    const table = tableName(write.insert);
    addRow(table, write.row, values);
    return values.statement(plainInsertion(table, placeholder));
  }
  if ('put' in write) return values.statement(replacement(tableName(write.put), write.row, values));
  const table = tableName(write.update);
  const set = Object.entries(write.set).map(([name, value]) => `${columnName(table, name)} = ${values.add(value)}`);
  if (set.length === 0) throw new KeyturnError('invalid_input', `An update of ${table} sets nothing.`);
  return values.statement(`UPDATE ${table} SET ${set.join(', ')} WHERE ${conjunction(table, write.where, values)}`);
}

/** The cells of a whole row, in the order of its columns. Returns their placeholders. */
function addRow(table: TableName, row: object, values: Values): string[] {
  for (const name in row) columnName(table, name);
  return columnsOf(table).map((column) => values.add((row as Readonly<Record<string, unknown>>)[column]));
}

function insertion(table: TableName, row: object, values: Values): string {
  return insertText(table, addRow(table, row, values));
}

function insertText(table: TableName, places: readonly string[]): string {
  return `INSERT INTO ${table} (${columnsOf(table).join(', ')}) VALUES (${places.join(', ')})`;
}

const insertions = new Map<Placeholder, Map<TableName, string>>();

/** The one text of an insert that is alone in its statement: the same string each time, whose hash V8 knows. */
function plainInsertion(table: TableName, placeholder: Placeholder): string {
  const known = insertions.get(placeholder)?.get(table);
  if (known !== undefined) return known;
  const places = columnsOf(table).map((_, at) => placeholder(at + 1));
  const text = insertText(table, places);
  const texts = insertions.get(placeholder) ?? new Map<TableName, string>();
  insertions.set(placeholder, texts.set(table, text));
  return text;
}

/** Updates in place: rows that refer to this one keep their target, which REPLACE would pull away. */
function replacement(table: TableName, row: object, values: Values): string {
  const key = keyOf(table);
  const rest = columnsOf(table).filter((column) => !key.includes(column));
  const set = rest.map((column) => `${column} = excluded.${column}`).join(', ');
  return `${insertion(table, row, values)} ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set}`;
}

/** Where nulls stand is said, because databases differ. */
function order(table: TableName, { orderBy, descending = false }: RowOrder): string {
  if (orderBy === undefined) return '';
  return ` ORDER BY ${columnName(table, orderBy)} ${descending ? 'DESC NULLS LAST' : 'ASC NULLS FIRST'}`;
}

export type RowCheck = Exclude<Check, { readonly notAfter: number }>;

/** Those that ask for rows, in their order. */
export function rowChecks(checks: readonly Check[]): RowCheck[] {
  return checks.filter((check): check is RowCheck => !('notAfter' in check));
}

/** One row with one column, `check_0` and so on, for each check: whether it holds. Null when there is nothing to ask. */
export function checksStatement(checks: readonly RowCheck[], placeholder: Placeholder): Statement | null {
  const values = new Values(placeholder);
  const columns = checks.map((check, at) => {
    const [not, where] = 'some' in check ? ['', check.some] : ['NOT ', check.none];
    const table = tableName(check.table);
    return `${not}EXISTS (SELECT 1 FROM ${table} WHERE ${conjunction(table, where, values)}) AS check_${at}`;
  });
  return columns.length === 0 ? null : values.statement(`SELECT ${columns.join(', ')}`);
}

/** The checks that hold, by the row that their statement gave. */
export function holding(checks: readonly RowCheck[], row: Readonly<Record<string, unknown>>): RowCheck[] {
  return checks.filter((_, at) => Boolean(row[`check_${at}`]));
}

/** The first check that does not hold at `time`, by its rule; null when all do. */
export function failedRule(checks: readonly Check[], held: ReadonlySet<RowCheck>, time: number): string | null {
  const failed = checks.find((check) => ('notAfter' in check ? time > check.notAfter : !held.has(check)));
  return failed?.rule ?? null;
}
