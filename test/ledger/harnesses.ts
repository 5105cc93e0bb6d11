import type { Clock } from '../../src/core/clock.ts';
import { LEDGER_ADAPTERS, type LedgerAdapter } from '../../src/ledger/registry.ts';
import type { LedgerHarness } from '../conformance/ledger.ts';
import { postgresHarness } from './postgres/harness.ts';
import { freshPlace } from './sqlite/place.ts';

/** One for each adapter of the registry; the compiler and registry.test.ts both see to it. */
export const LEDGER_HARNESSES: Readonly<Record<LedgerAdapter, LedgerHarness>> = {
  postgres: postgresHarness,
  sqlite: {
    async create(clock: Clock) {
      const { path, signer, verifier, remove } = await freshPlace();
      const open = (generation = 1) => LEDGER_ADAPTERS.sqlite({ path, signer, clock, generation });
      const ledger = await open();
      let newest = ledger;
      return {
        ledger,
        verifier,
        async reopen(generation) {
          await newest.close();
          newest = await open(generation);
          return newest;
        },
        async dispose() {
          await newest.close();
          await remove();
        },
      };
    },
  },
};
