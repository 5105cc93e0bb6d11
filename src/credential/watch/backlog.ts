import type { Ledger, StoredEntry } from '../../ledger/ledger.ts';
import { eventOf, WATCHED_KINDS, type WatchEvent } from './event.ts';

/** Entries of one kind that are told one by one; whoever missed more is told to ask anew for all it has. */
const MOST = 500;

/** What happened from entry `from` on, up to `size`, in order. */
export async function backlog(ledger: Ledger, from: number, size: number): Promise<readonly WatchEvent[]> {
  if (from >= size) return [];
  // Mostly it is an entry or two: one reading, instead of one for each kind.
  if (size - from <= MOST) return (await ledger.entries({ from, to: size, limit: MOST })).flatMap(told);
  const pages = await Promise.all(
    WATCHED_KINDS.map((kind) => ledger.entries({ kind, from, to: size, limit: MOST + 1 })),
  );
  if (pages.some((page) => page.length > MOST)) return [resync(size - 1)];
  return pages
    .flat()
    .toSorted((a, b) => a.index - b.index)
    .flatMap(told);
}

function told({ json }: StoredEntry): readonly WatchEvent[] {
  const event = eventOf(json);
  return event === null ? [] : [event];
}

/** Whatever happened, ask anew for all. */
export function resync(index: number | null): WatchEvent {
  return { index, what: 'resync', credential: null, version: null, principal: null, host: null };
}
