import type { Api } from './api.ts';

/** All items of a list, page after page. `path` has no query. A server that does not page answers all at once. */
export async function everyPage<T>(api: Pick<Api, 'call'>, path: string, pageSize: number): Promise<T[]> {
  const all: T[] = [];
  for (let after = ''; ; ) {
    const page = `${path}?limit=${pageSize}${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`;
    const { items, next } = (await api.call({ method: 'GET', path: page })) as { items: T[]; next?: string | null };
    all.push(...items);
    if (next === undefined || next === null) return all;
    after = next;
  }
}
