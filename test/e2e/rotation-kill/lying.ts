import type { Instance } from '../../../src/compose/open.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import type { TableName, Tables } from '../../../src/ledger/tables.ts';

/** What a ledger says instead of a row, by table. */
export type Lies = { readonly [T in TableName]?: (row: Tables[T]) => Tables[T] };

/** Rows that there are not, as far as they are looked at. */
export type Inventions = { readonly [T in TableName]?: readonly Partial<Tables[T]>[] };

/** The instance with a ledger that says otherwise than it is. */
export function lying(
  instance: Instance,
  lies: Lies,
  inventions: Inventions = {},
  entry: (json: string) => string = (json) => json,
): Instance {
  const { ledger } = instance.desk;
  const find: Ledger['find'] = async (table, where, options) => {
    const rows = await ledger.find(table, where, options);
    const lie = lies[table] as ((row: (typeof rows)[number]) => (typeof rows)[number]) | undefined;
    const invented = (inventions[table] ?? []) as typeof rows;
    return [...(lie === undefined ? rows : rows.map(lie)), ...invented];
  };
  const entries: Ledger['entries'] = async (query) =>
    (await ledger.entries(query)).map((stored) => ({ ...stored, json: entry(stored.json) }));
  const doctored = new Proxy(ledger, {
    get: (target, name) => {
      if (name === 'find') return find;
      if (name === 'entries') return entries;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...instance, desk: { ...instance.desk, ledger: doctored } };
}
