import { createPrivateKey, type KeyObject } from 'node:crypto';
import { LogSigner, LogVerifier } from '../../audit/checkpoint.ts';
import { readLines } from '../../audit/export.ts';
import { verifyExport } from '../../audit/verify.ts';
import { damaged } from '../../backup/damage.ts';
import { type Manifest, unverifiedText } from '../../backup/manifest.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { explainStore } from '../../credential/version/attest.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { systemRecord } from '../../keystore/record-name.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { openSqliteLedger } from '../../ledger/sqlite/open.ts';
import { exportText } from '../../server/routes/audit.ts';
import type { Config } from '../config.ts';
import { ledgerFile } from '../ledger/open-ledger.ts';
import type { AskSecret } from '../master-key.ts';
import { openFurtherStore, openOwnStore } from '../stores.ts';
import type { OutsideCheckpoint } from './loss.ts';
import { type Claimed, openedText } from './trust.ts';

/** The log's key, out of a restored key store that its master key opened. */
export interface LogIdentity {
  readonly privateKey: KeyObject;
  readonly signer: LogSigner;
  readonly verifier: LogVerifier;
}

/**
 * Reads the log's key, and holds the backup's manifest against it: so the backup is what this instance made.
 * @throws KeyturnError `backup_invalid` when another key signed it, or `keys` (vkeys, if given) has not this one.
 */
export async function identify(
  store: KeyStore,
  config: Config,
  { note, manifest }: Claimed,
  keys: readonly string[],
): Promise<LogIdentity> {
  using octets = await store.read(systemRecord('log', 1));
  const privateKey = createPrivateKey({ key: octets.bytes, format: 'der', type: 'pkcs8' });
  const signer = LogSigner.create(config.origin, privateKey);
  const verifier = new LogVerifier({ origin: config.origin, keys: [signer.vkey] });
  if (keys.length > 0 && !keys.includes(signer.vkey)) throw damaged('its log key is another than the one given');
  if (manifest.origin !== config.origin || openedText(verifier, note) !== unverifiedText(note)) {
    throw damaged('its manifest was not signed by the log of its key store');
  }
  return { privateKey, signer, verifier };
}

/** The own store of an unpacked backup. @throws KeyturnError `master_key_wrong`, saying how to give the right one. */
export async function openRestoredStore(config: Config, ask: AskSecret): Promise<KeyStore> {
  try {
    return await openOwnStore(config, ask, {});
  } catch (error) {
    if (!isKeyturnError(error, 'not_found') && !isKeyturnError(error, 'master_key_wrong')) throw error;
    throw new KeyturnError('master_key_wrong', `The key store of the backup does not open: ${error.message}`, {
      fix: 'No backup holds the master key: give it with --master-key-file FILE.',
    });
  }
}

/**
 * Every entry and checkpoint of the ledger's copy, hashed and verified anew, also against checkpoints kept outside; and
 * each key store in the backup against what the ledger says of it.
 * @throws KeyturnError `ledger_corrupt`, `keystore_rollback`.
 */
export async function examine(
  config: Config,
  ledger: Ledger,
  store: KeyStore,
  parts: {
    readonly verifier: LogVerifier;
    readonly manifest: Manifest;
    /** Covers no more than the backup does. */
    readonly since: OutsideCheckpoint | null;
    readonly ask: AskSecret;
  },
): Promise<void> {
  const { verifier, manifest, since, ask } = parts;
  const head = await ledger.head();
  if (head.size !== manifest.log.size || head.checkpoint !== manifest.log.checkpoint) {
    throw damaged('its ledger is not of the state that its manifest says');
  }
  const report = await verifyExport(readLines(exportText(ledger, config.origin)), verifier, {
    since: since === null ? [] : [since.note],
  });
  if (since !== null && report.findings.some(({ kind }) => kind === 'rewritten')) throw contradicted(since.path);
  if (!report.intact) {
    throw new KeyturnError('ledger_corrupt', `The ledger of the backup is not intact: ${report.findings[0]?.message}`, {
      fix: 'Nothing was restored. Keep the backup for the investigation, and use another one.',
    });
  }
  await explainStore(ledger, store);
  for (const setting of config.stores) {
    if (setting.kind !== 'file') continue;
    const further = await openFurtherStore(setting, ledger, { ask, observer: {} });
    await further.close();
  }
}

/** One log's key has signed both. */
function contradicted(path: string): KeyturnError {
  return new KeyturnError(
    'ledger_corrupt',
    `The checkpoint ${path} was signed over other entries than the backup has.`,
    {
      fix:
        'Nothing was restored. If that is the checkpoint of the lost server, its log or this backup was rewritten: keep ' +
        'both for the investigation. If it is another one, give the right file with --checkpoint.',
    },
  );
}

export function openStagedLedger(config: Config, { privateKey }: LogIdentity, generation = 1): Promise<Ledger> {
  const signer = { origin: config.origin, privateKey };
  return openSqliteLedger({ path: ledgerFile(config), signer, generation, recheckEntries: Number.MAX_SAFE_INTEGER });
}
