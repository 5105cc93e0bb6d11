import type { Context } from '../../context.ts';
import { table } from '../../terminal/terminal.ts';

interface Store {
  readonly name: string;
  readonly place: string;
  readonly default: boolean;
  readonly ready: boolean;
  readonly detail: string;
  readonly frozen: boolean;
  readonly versions: Readonly<Record<string, number>>;
  readonly companions: Readonly<Record<string, number>>;
  readonly leftovers: number;
}

export default async function storeList({ terminal, api }: Context): Promise<void> {
  const { items } = (await (await api()).call({ method: 'GET', path: '/v1/stores' })) as { items: Store[] };
  const rows = items.map((store) => [
    store.name,
    [store.default ? 'default' : '', store.ready ? 'ready' : 'DOWN', store.frozen ? 'FROZEN' : '']
      .filter((word) => word !== '')
      .join(', '),
    counts(store.versions),
    counts(store.companions),
    String(store.leftovers),
    store.place,
  ]);
  terminal.result({ items }, table(['store', '', 'versions', 'companions', 'old copies', 'place'], rows, 'No stores.'));
  for (const { name, ready, detail } of items) if (!ready) terminal.warn(`${name}: ${detail}`);
}

function counts(byState: Readonly<Record<string, number>>): string {
  const parts = Object.entries(byState).map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? '-' : parts.sort().join(', ');
}
