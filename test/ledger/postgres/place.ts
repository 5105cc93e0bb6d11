import type { Ledger } from '../../../src/ledger/ledger.ts';
import type { PostgresPlace } from '../../../src/ledger/postgres/connection/place.ts';
import { openPostgresLedger, type PostgresLedgerOptions } from '../../../src/ledger/postgres/open.ts';
import { change } from '../../conformance/ledger-rows.ts';
import { freshSigner } from './harness.ts';

/** One log in one database, opened by as many replicas as a test wants. */
export function replicasOf(place: PostgresPlace) {
  const { signer, verifier } = freshSigner();
  const opened: Ledger[] = [];
  return {
    place,
    signer,
    verifier,
    /** `port` when this replica goes through a proxy. */
    async open(options: Partial<PostgresLedgerOptions> & { readonly port?: number } = {}): Promise<Ledger> {
      const { port = place.port, ...rest } = options;
      const reached = port === undefined ? place : { ...place, port };
      const ledger = await openPostgresLedger({ signer, patienceMs: 10_000, ...rest, place: reached });
      opened.push(ledger);
      return ledger;
    },
    close: () => Promise.all(opened.map((ledger) => ledger.close())),
  };
}

/** Commits one entry that can be told from all others. */
export function record(ledger: Ledger, name: string) {
  return ledger.commit({ ...change('a.change'), entry: { kind: 'a.change', actor: 'system', data: { name } } });
}

/** The names that `record` put on the log, in its order. */
export async function recorded(ledger: Ledger): Promise<string[]> {
  const names: string[] = [];
  for (let from = 0; ; from += 1000) {
    const page = await ledger.entries({ from, to: from + 1000, limit: 1000 });
    names.push(...page.map(({ json }) => String(JSON.parse(json).data.name)));
    if (page.length < 1000) return names;
  }
}
