import { Counter, type Registry } from 'prom-client';
import type { AuditEntry } from '../audit/entry.ts';
import { parseEntry } from '../audit/recorded.ts';
import type { JsonObject } from '../core/canonical-json.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Entries of one kind read at a time. */
const ENTRIES = 1_000;

/** How rotations went for clients, as the log tells it from this server's start on; each server counts all of it. */
export function watchClients(registry: Registry, ledger: Ledger): void {
  const count = (name: string, help: string, kind: string, of: (data: JsonObject) => number): void => {
    const news = newEntries(ledger, kind);
    new Counter({
      name,
      help,
      registers: [registry],
      async collect() {
        for (const { data } of await news().catch(() => [])) this.inc(of(data));
      },
    });
  };
  count(
    'keyturn_rotation_share_rollbacks_total',
    'Rotations since this server started that went back by themselves, because the new version failed its first clients.',
    'rotation.rolling-back',
    () => 1,
  );
  count(
    'keyturn_rotation_outages_total',
    'Rotations since this server started in which a partner that accepts one certificate at a time refused clients.',
    'version.retired',
    (data) => (outageMs(data) === null ? 0 : 1),
  );
  count(
    'keyturn_rotation_outage_seconds_total',
    'Seconds from the first refusal until the last client had moved, in these rotations.',
    'version.retired',
    (data) => (outageMs(data) ?? 0) / 1000,
  );
}

function outageMs(data: JsonObject): number | null {
  const { ms = null } = (data['outage'] ?? {}) as { readonly ms?: number };
  return ms;
}

/** Gives the entries of a kind since the last call that succeeded, the first time those since now. */
function newEntries(ledger: Ledger, kind: string): () => Promise<AuditEntry[]> {
  let start = ledger.status().size;
  return oneByOne(async () => {
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
  });
}

/** Each call when the one before it has ended: what two scrapes at a time would both find new is counted once. */
export function oneByOne<T>(read: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = last.then(read);
    last = mine.catch(() => undefined);
    return mine;
  };
}
