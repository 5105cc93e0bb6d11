import type { KeyObject } from 'node:crypto';
import { LogVerifier } from '../../audit/checkpoint.ts';
import type { Clock } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { CheckpointFile, type CheckpointFileOptions } from '../../ledger/checkpoint-file.ts';
import type { Ledger, LedgerStatus } from '../../ledger/ledger.ts';
import { openSqliteLedger, type SqliteLedgerOptions } from '../../ledger/sqlite/open.ts';
import type { Config } from '../config.ts';
import type { LedgerSetting } from '../settings/ledger.ts';

export interface LedgerIdentity {
  readonly privateKey: KeyObject;
  /** The log's public key. */
  readonly vkey: string;
}

export interface OpenLedgerOptions extends Pick<CheckpointFileOptions, 'acceptRollback' | 'onFailure'> {
  /** In place of the ledger's own. */
  readonly clock?: Clock;
  /** When the ledger can commit no more, or can again. */
  readonly onStatus?: (status: LedgerStatus) => void;
}

/** The ledger that the configuration names, held against the checkpoint outside before anything is released. */
export async function openLedger(
  config: Config,
  { privateKey, vkey }: LedgerIdentity,
  { clock, onStatus, ...outside }: OpenLedgerOptions,
): Promise<{ ledger: Ledger; checkpointFile: CheckpointFile }> {
  const { origin } = config;
  const verifier = new LogVerifier({ origin, keys: [vkey] });
  const checkpointFile = new CheckpointFile({ ...outside, path: config.checkpoint, verifier });
  const options = {
    signer: { origin, privateKey },
    ...(clock === undefined ? {} : { clock }),
    ...(onStatus === undefined ? {} : { onStatus }),
    onCheckpoint: (note: string, size: number) => checkpointFile.offer(note, size),
  };
  const ledger = await openKind(config.ledger, options);
  try {
    const found = await checkpointFile.start(ledger);
    if (found !== 'continued') await recordOutside(ledger, found);
  } catch (error) {
    await ledger.close();
    throw error;
  }
  return { ledger, checkpointFile };
}

async function openKind(setting: LedgerSetting, options: Omit<SqliteLedgerOptions, 'path'>): Promise<Ledger> {
  if ('path' in setting) return openSqliteLedger({ ...options, path: setting.path });
  // What talks to PostgreSQL takes 15 MB of memory, which a ledger in a file does without.
  const { openPostgresLedger } = await import('../../ledger/postgres/open.ts');
  return openPostgresLedger({ ...options, place: setting.postgres });
}

/** Whoever removes the checkpoint outside, or starts over it, leaves an entry. */
async function recordOutside(ledger: Ledger, found: 'missing' | 'accepted'): Promise<void> {
  const kind = found === 'missing' ? 'checkpoint.missing-outside' : 'checkpoint.rollback-accepted';
  const { size } = await ledger.head();
  await ledger.commit({ entry: { kind, actor: 'system', data: { size } } });
}

/**
 * The file of a ledger that is one.
 * @throws KeyturnError `config_invalid` for one in a database.
 */
export function ledgerFile({ ledger }: Config): string {
  if ('path' in ledger) return ledger.path;
  throw new KeyturnError('config_invalid', 'The ledger of this instance is in a database, not in a file.', {
    fix: 'Use the tools of the database server.',
  });
}
