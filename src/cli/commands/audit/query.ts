import type { Context } from '../../context.ts';
import { entryLine } from '../../terminal/entry-line.ts';

interface Options {
  readonly kind?: string;
  readonly actor?: string;
  readonly credential?: string;
  readonly since?: string;
  readonly until?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly newest?: boolean;
}

export type Entry = Readonly<Record<string, unknown>> & { readonly index: number };

interface Page {
  readonly items: readonly Entry[];
  /** Null on the last page; a server of before tells none. */
  readonly next?: number | null;
}

export default async function auditQuery({ terminal, api }: Context, options: Options): Promise<void> {
  const query = new URLSearchParams();
  for (const name of ['kind', 'actor', 'credential', 'since', 'until', 'from', 'to', 'limit'] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  if (options.newest === true) query.set('newest', 'true');
  const path = `/v1/audit/entries?${query.toString()}`;
  const { items, next = null } = (await (await api()).call({ method: 'GET', path })) as Page;
  terminal.result({ items, next }, items.length === 0 ? ['No such entries.'] : items.map(entryLine));
  if (next === null) return;
  // Whoever looks for all that had a key must not take these for all.
  const option = options.newest === true ? '--to' : '--from';
  terminal.warn(`More was found than is shown. Go on with the same command and ${option} ${next}`);
}
