import { generateKeyPairSync } from 'node:crypto';
import { LogSigner, LogVerifier } from '../../../src/audit/checkpoint.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { PostgresPlace } from '../../../src/ledger/postgres/connection/place.ts';
import { openPostgresLedger } from '../../../src/ledger/postgres/open.ts';
import type { LedgerHarness } from '../../conformance/ledger.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';

export const ORIGIN = 'keyturn.test/log';

/** A fresh log key. */
export function freshSigner() {
  const { privateKey } = generateKeyPairSync('ed25519');
  const keys = [LogSigner.create(ORIGIN, privateKey).vkey];
  return { signer: { origin: ORIGIN, privateKey }, verifier: new LogVerifier({ origin: ORIGIN, keys }) };
}

let cluster: PostgresCluster | undefined;
let database: PostgresPlace | undefined;
let ledgers = 0;

/** One cluster and database for all tests of a file, a schema for each ledger. */
export const postgresHarness: LedgerHarness = {
  async start() {
    cluster = await PostgresCluster.start();
    database = await cluster.database();
    return cluster;
  },
  async create(clock: Clock) {
    if (cluster === undefined || database === undefined) throw new Error('The cluster was not started.');
    const { signer, verifier } = freshSigner();
    ledgers += 1;
    const place = { ...database, schema: `ledger_${ledgers}` };
    const open = (generation = 1) => openPostgresLedger({ place, signer, clock, generation });
    const ledger = await open();
    let newest = ledger;
    const dropped = cluster;
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
        await dropped.sql(`DROP SCHEMA ${place.schema} CASCADE`, place.database);
      },
    };
  },
};
