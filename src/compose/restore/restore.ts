import type { KeyObject } from 'node:crypto';
import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Manifest } from '../../backup/manifest.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { HoldSwitch } from '../../credential/hold/hold-switch.ts';
import { replayHolds } from '../../credential/hold/replay.ts';
import { tokenEntry, tokenRow } from '../../credential/token.ts';
import { CheckpointFile } from '../../ledger/checkpoint-file.ts';
import { EmergencyJournal } from '../../ledger/journal/emergency-journal.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { type Config, loadConfig } from '../config.ts';
import { connectionFacts } from '../connection.ts';
import type { AskSecret } from '../master-key.ts';
import { examine, identify, type LogIdentity, openRestoredStore, openStagedLedger } from './examine.ts';
import {
  isAhead,
  type Loss,
  type Measured,
  measureLoss,
  type OutsideCheckpoint,
  outsideCheckpoint,
  refuseLoss,
} from './loss.ts';
import { Staging } from './staging.ts';
import { beginGeneration, freezeStores, RESTORER, takeOverStops } from './take-over.ts';
import { requireSigned, requireTrust } from './trust.ts';
import { rehome, unpackBackup } from './unpack.ts';

export interface RestoreOptions {
  readonly file: string;
  readonly identity: KeyObject;
  /** A folder that does not exist yet, or is empty. */
  readonly home: string;
  readonly ask: AskSecret;
  readonly masterKeyFile?: string;
  /** Log keys of which one must have signed the backup, before its configuration is followed (vkeys). */
  readonly keys?: readonly string[];
  /** Newest checkpoint kept outside. Default: where the restored configuration says, if that is an absolute path. */
  readonly checkpoint?: string;
  /** Audit export taken after the backup. */
  readonly tail?: string;
  /** Emergency journal of the lost machine. */
  readonly journal?: string;
  /** Without a log key and a master key file: follow the configuration all the same. Default false: refused. */
  readonly trustBackup?: boolean;
  /** Told what it then says to ask, read and write, before that is done. */
  readonly onTrusted?: (doings: readonly string[]) => void;
  readonly acceptLoss?: boolean;
  /** Everything starts frozen. */
  readonly freezeAll?: boolean;
  /** A higher number than the next one, where another restore is known that nothing kept outside tells of. */
  readonly generation?: number;
  /** Person who gets a new token in the instance's folder. */
  readonly administrator?: string;
  /** Told before a loss is refused or accepted. */
  readonly onLoss?: (loss: Loss) => void;
  readonly clock?: Clock;
}

export interface Restored {
  readonly home: string;
  readonly backup: string;
  readonly takenAt: string;
  readonly origin: string;
  readonly size: number;
  readonly generation: number;
  readonly loss: Loss;
  /** Taken over from tail and journal. */
  readonly frozen: number;
  readonly revoked: number;
  /** Records of the journal that could not be read: freezes, perhaps. */
  readonly torn: number;
  readonly everythingFrozen: boolean;
  /** Key stores whose keys rest elsewhere, and were not in the backup. */
  readonly external: readonly string[];
  /** Members of the configuration that were changed. */
  readonly changed: readonly string[];
  /** Why the checkpoint outside could not be replaced; null if it was. */
  readonly outsideFailure: string | null;
  readonly tokenFile: string | null;
}

const TOKEN_SECONDS = 90 * 86_400;

/**
 * Makes an instance of a backup, in a folder beside `home` that takes its name at the very end: unpack → see who made it →
 * open the key store → verify all → measure what is lost → begin a new generation → take over what stops → hand over.
 * @throws KeyturnError of whatever stands in the way; then nothing is left, and nothing outside was touched.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const home = resolve(options.home);
  await using undo = new AsyncDisposableStack();
  const staging = undo.use(await Staging.make(home));
  const unpacked = await unpackBackup(options.file, options.identity, staging.path);
  requireSigned(unpacked, options.keys ?? []);
  const changed = await rehome(staging.path, unpacked.manifest.files, options.masterKeyFile);
  const config = await loadConfig(staging.path);
  await requireTrust(config, {
    keys: options.keys ?? [],
    masterKeyFile: options.masterKeyFile,
    trusted: options.trustBackup ?? false,
    onTrusted: (doings) => options.onTrusted?.(doings),
  });
  const store = undo.use(disposable(await openRestoredStore(config, options.ask)));
  const log = await identify(store.of, config, unpacked, options.keys ?? []);
  const outside = await outsideCheckpoint(options.checkpoint, config.checkpoint, log.verifier);
  const loss = await examineAll(config, store.of, log, { options, manifest: unpacked.manifest, outside });
  options.onLoss?.(loss);
  if (options.acceptLoss !== true) refuseLoss(loss);
  const begun = await goOn(config, log, { options, manifest: unpacked.manifest, loss });
  await store.of.close();
  await staging.handOver();
  undo.move();
  const { manifest } = unpacked;
  return {
    home,
    backup: manifest.backup,
    takenAt: manifest.takenAt,
    origin: manifest.origin,
    size: manifest.log.size,
    loss: { range: loss.range, outside: loss.outside, entries: loss.entries },
    external: manifest.stores.filter(({ kind }) => kind === 'external').map(({ store: name }) => name),
    changed,
    everythingFrozen: options.freezeAll === true,
    ...begun,
    tokenFile: options.administrator === undefined ? null : join(home, 'admin', 'token'),
  };
}

function disposable<T extends { close(): Promise<void> }>(of: T): { readonly of: T } & AsyncDisposable {
  return { of, [Symbol.asyncDispose]: () => of.close() };
}

interface Given {
  readonly options: RestoreOptions;
  readonly manifest: Manifest;
}

/** Nothing is written but to the copy. */
async function examineAll(
  config: Config,
  store: Parameters<typeof examine>[2],
  log: LogIdentity,
  { options, manifest, outside }: Given & { readonly outside: OutsideCheckpoint | null },
): Promise<Measured> {
  const ledger = await openStagedLedger(config, log);
  try {
    const head = await ledger.head();
    const { verifier } = log;
    const since = outside === null || isAhead(outside.head, verifier.open(head.checkpoint)) ? null : outside;
    await examine(config, ledger, store, { verifier, manifest, since, ask: options.ask });
    return await measureLoss({ verifier, head, outside, tail: options.tail });
  } finally {
    await ledger.close();
  }
}

/** The new generation, and all that must stand in it before anything is released. */
async function goOn(
  config: Config,
  log: LogIdentity,
  { options, manifest, loss }: Given & { readonly loss: Measured },
): Promise<Pick<Restored, 'generation' | 'frozen' | 'revoked' | 'torn' | 'outsideFailure'>> {
  const now = (options.clock ?? systemClock).now();
  const known = Math.max(manifest.log.generation, loss.outside?.generation ?? 1);
  const generation = Math.max(known + 1, options.generation ?? 0);
  const ledger = await openStagedLedger(config, log, generation);
  try {
    const head = await ledger.head();
    const { signer, verifier } = log;
    await beginGeneration(ledger, { signer, verifier, head, generation, now, facts: factsOf(manifest, loss) });
    const { frozen, revoked } = await takeOverStops(ledger, loss.stops, now);
    const { replayed, torn } = await replayJournal(config, ledger, options.journal);
    if (options.freezeAll === true) await freezeStores(ledger, ['file', ...config.stores.map(({ name }) => name)], now);
    await writeAdmin(config, log, ledger, { administrator: options.administrator, now });
    const outsideFailure = await writeOutside(config, log, ledger);
    return { generation, frozen: frozen + replayed, revoked, torn, outsideFailure };
  } finally {
    await ledger.close();
  }
}

function factsOf({ backup, takenAt }: Manifest, { range }: Loss) {
  return { backup, takenAt, lostFrom: range?.from ?? null, lostTo: range?.to ?? null };
}

/** Freezes that the lost machine's ledger had not taken. */
async function replayJournal(
  config: Config,
  ledger: Ledger,
  given: string | undefined,
): Promise<{ replayed: number; torn: number }> {
  if (given === undefined) return { replayed: 0, torn: 0 };
  await copyFile(given, config.journal).catch(() => {
    throw new KeyturnError('invalid_input', `The journal ${given} can't be read.`, { fix: 'Check the path.' });
  });
  // Whoever saved it may have left it to others as well; the copy is ours.
  await chmod(config.journal, 0o600);
  const journal = await EmergencyJournal.open(config.journal).catch((error: unknown) => {
    if (!isKeyturnError(error)) throw error;
    throw new KeyturnError('invalid_input', `${given} is no emergency journal of Keyturn.`, {
      fix: 'Give the file that journal.path of the lost server named, or leave --journal out.',
    });
  });
  try {
    return await replayHolds({ ledger, holds: new HoldSwitch() }, journal);
  } finally {
    await journal.close();
  }
}

async function writeAdmin(
  config: Config,
  { privateKey }: LogIdentity,
  ledger: Ledger,
  { administrator, now }: { readonly administrator: string | undefined; readonly now: number },
): Promise<void> {
  const facts = { keyturn: 1, ...(await connectionFacts(config, privateKey)) };
  const folder = join(config.home, 'admin');
  await writeFile(join(folder, 'connection.json'), `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o644 });
  if (administrator === undefined) return;
  const request = { principal: `person:${administrator}`, ttlSeconds: TOKEN_SECONDS, comment: 'made at a restore' };
  const { token, row } = tokenRow(request, RESTORER, now);
  using secret = token;
  await ledger.commit({ writes: [{ insert: 'tokens', row }], entry: tokenEntry('token.created', RESTORER, row) });
  await writeFile(join(folder, 'token'), secret.bytes, { mode: 0o600, flag: 'wx' });
}

/** In place of whatever is there: it was compared before. */
async function writeOutside(config: Config, { verifier }: LogIdentity, ledger: Ledger): Promise<string | null> {
  let failure: string | null = null;
  const onFailure = ({ message }: KeyturnError) => {
    failure = message;
  };
  await new CheckpointFile({ path: config.checkpoint, verifier, acceptRollback: true, onFailure }).start(ledger);
  return failure;
}
