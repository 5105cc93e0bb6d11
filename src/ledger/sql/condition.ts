import { KeyturnError } from '../../core/errors.ts';
import type { TableName } from '../tables.ts';
import { columnName } from './columns.ts';
import type { Values } from './statement.ts';

/** More values than this in one `in` is a query that wants another shape. */
const IN_LIMIT = 1000;

/** The text after WHERE: all conditions together, `TRUE` for none. */
export function conjunction(table: TableName, where: object, values: Values): string {
  const parts = Object.entries(where).map(([name, condition]) =>
    comparison(columnName(table, name), condition, values),
  );
  return parts.length === 0 ? 'TRUE' : parts.join(' AND ');
}

function comparison(column: string, condition: unknown, values: Values): string {
  if (condition === null) return `${column} IS NULL`;
  if (typeof condition !== 'object') return `${column} = ${values.add(condition)}`;
  const [operator, ...more] = Object.entries(condition as object);
  if (operator === undefined || more.length > 0) throw unknownCondition();
  const [name, operand] = operator;
  switch (name) {
    case 'in':
      return membership(column, operand, values);
    case 'gt':
      return `${column} > ${values.add(operand)}`;
    case 'lte':
      return `${column} <= ${values.add(operand)}`;
    case 'not':
      // A row whose cell is null is not equal to a value, which plain <> would leave out.
      return operand === null ? `${column} IS NOT NULL` : `${column} IS DISTINCT FROM ${values.add(operand)}`;
    default:
      throw unknownCondition();
  }
}

function membership(column: string, list: unknown, values: Values): string {
  if (!Array.isArray(list) || list.length > IN_LIMIT) throw unknownCondition();
  if (list.length === 0) return 'FALSE';
  return `${column} IN (${list.map((item) => values.add(item)).join(', ')})`;
}

function unknownCondition(): KeyturnError {
  return new KeyturnError('invalid_input', 'A change holds a condition that the ledger does not know.', {
    fix: `Use a value, null, or one of in (at most ${IN_LIMIT}), gt, lte, not.`,
  });
}
