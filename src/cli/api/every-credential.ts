import type { Shown } from '../commands/credential/show.ts';
import type { Api } from './api.ts';

const PAGE = 500;

/** All credentials that the token may list, page after page. A server that does not page answers all at once. */
export async function everyCredential(api: Pick<Api, 'call'>): Promise<Shown[]> {
  const all: Shown[] = [];
  for (let after = ''; ; ) {
    const path = `/v1/credentials?limit=${PAGE}&after=${encodeURIComponent(after)}`;
    const { items, next } = (await api.call({ method: 'GET', path })) as { items: Shown[]; next?: string | null };
    all.push(...items);
    if (next === undefined || next === null) return all;
    after = next;
  }
}
