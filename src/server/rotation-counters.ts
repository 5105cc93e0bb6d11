import { Counter, type Registry } from 'prom-client';
import type { AuditEntry } from '../audit/entry.ts';
import { parseEntry } from '../audit/recorded.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Entries of one kind read at a time. */
const ENTRIES = 1_000;

/** How long clients were refused, as the log tells it from this server's start on; each server counts all of it. */
export function watchOutages(registry: Registry, ledger: Ledger): void {
  const count = (name: string, help: string, of: (ms: number) => number): void => {
    const news = newEntries(ledger, 'version.retired');
    new Counter({
      name,
      help,
      registers: [registry],
      async collect() {
        for (const { data } of await news().catch(() => [])) {
          const { ms } = (data['outage'] ?? {}) as { readonly ms?: number };
          if (ms !== undefined) this.inc(of(ms));
        }
      },
    });
  };
  count(
    'keyturn_rotation_outages_total',
    'Rotations since this server started in which a partner that accepts one certificate at a time refused clients.',
    () => 1,
  );
  count(
    'keyturn_rotation_outage_seconds_total',
    'Seconds from the first refusal until the last client had moved, in these rotations.',
    (ms) => ms / 1000,
  );
}

/** Gives the entries of a kind since the last call that succeeded, the first time those since now. */
function newEntries(ledger: Ledger, kind: string): () => Promise<AuditEntry[]> {
  let start = ledger.status().size;
  return async () => {
    const to = ledger.status().size;
    const entries: AuditEntry[] = [];
    for (let from = start; from < to; ) {
      const page = await ledger.entries({ kind, from, to, limit: ENTRIES });
      entries.push(...page.map(({ json }) => parseEntry(json)));
      if (page.length < ENTRIES) break;
      from = (page.at(-1)?.index ?? to) + 1;
    }
    start = to;
    return entries;
  };
}
