import type { Ledger } from './ledger.ts';
import { openPostgresLedger } from './postgres/open.ts';
import { openSqliteLedger } from './sqlite/open.ts';

/** Every adapter of the port, by the name that configuration uses. The conformance suite runs on each of them. */
export const LEDGER_ADAPTERS = {
  postgres: openPostgresLedger,
  sqlite: openSqliteLedger,
} as const satisfies Readonly<Record<string, (options: never) => Promise<Ledger>>>;

export type LedgerAdapter = keyof typeof LEDGER_ADAPTERS;
