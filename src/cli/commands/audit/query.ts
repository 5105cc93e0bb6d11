import type { Context } from '../../context.ts';
import { entryLine } from '../../terminal/entry-line.ts';

interface Options {
  readonly kind?: string;
  readonly actor?: string;
  readonly credential?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly newest?: boolean;
}

export type Entry = Readonly<Record<string, unknown>> & { readonly index: number };

export default async function auditQuery({ terminal, api }: Context, options: Options): Promise<void> {
  const query = new URLSearchParams();
  for (const name of ['kind', 'actor', 'credential', 'since', 'until', 'limit'] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  if (options.newest === true) query.set('newest', 'true');
  const path = `/v1/audit/entries?${query.toString()}`;
  const { items } = (await (await api()).call({ method: 'GET', path })) as { items: Entry[] };
  terminal.result({ items }, items.length === 0 ? ['No such entries.'] : items.map(entryLine));
}
