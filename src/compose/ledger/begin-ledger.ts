import type { KeyObject } from 'node:crypto';
import { LogVerifier } from '../../audit/checkpoint.ts';
import type { KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { CheckpointFile } from '../../ledger/checkpoint-file.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { beginPostgresLedger } from '../../ledger/postgres/begin.ts';
import { openSqliteLedger } from '../../ledger/sqlite/open.ts';
import type { Config } from '../config.ts';

/**
 * A new instance's empty ledger. What is made of it in a database is taken back by `made`, unless that is kept.
 * @throws KeyturnError `conflict` for a database that holds one already; as the adapters.
 */
export async function beginLedger(
  { ledger, origin }: Config,
  privateKey: KeyObject,
  made: AsyncDisposableStack,
): Promise<Ledger> {
  const signer = { origin, privateKey };
  if ('path' in ledger) return openSqliteLedger({ path: ledger.path, signer });
  const begun = await beginPostgresLedger({ place: ledger.postgres, signer });
  made.defer(begun.undo);
  return begun.ledger;
}

/** The log's first entry, beside what the ledger knows of the instance's own store from now on. */
export async function recordStart(config: Config, ledger: Ledger, store: KeyStore, key: string): Promise<void> {
  const attested = await store.attest();
  await ledger.commit({
    writes: attested === null ? [] : [{ put: 'stores', row: { store: store.name, ...attested } }],
    entry: { kind: 'log.started', actor: 'system', data: { origin: config.origin, key } },
  });
}

/** The first checkpoint outside, so that a later start that misses it can tell. */
export async function writeOutside(config: Config, ledger: Ledger, keys: readonly string[]): Promise<void> {
  let failure: KeyturnError | null = null;
  const outside = new CheckpointFile({
    path: config.checkpoint,
    verifier: new LogVerifier({ origin: config.origin, keys }),
    onFailure: (error) => {
      failure = error;
    },
  });
  await outside.start(ledger);
  if (failure !== null) throw failure;
}
