import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Policy } from '../access/policy.ts';
import { loadPolicy } from '../access/policy-files/load.ts';
import { LogSigner, LogVerifier } from '../audit/checkpoint.ts';
import type { EntryDraft } from '../audit/entry.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import type { KeyturnError } from '../core/errors.ts';
import { settleCompanions } from '../credential/companion.ts';
import type { Desk } from '../credential/desk.ts';
import { HoldJournal } from '../credential/hold/hold-journal.ts';
import { HoldSwitch } from '../credential/hold/hold-switch.ts';
import { replayHolds } from '../credential/hold/replay.ts';
import { refused } from '../credential/refusal.ts';
import { settleMoves } from '../credential/store/settle-moves.ts';
import { StoreQueue } from '../credential/store/store-queue.ts';
import { TokenBook } from '../credential/token-book.ts';
import { explainStore } from '../credential/version/attest.ts';
import { settlePending } from '../credential/version/settle.ts';
import { ReplicaNews } from '../credential/watch/replica-news.ts';
import { isInForce, type RulesInForce, rulesInForce } from '../credential/watch/rules-in-force.ts';
import { Watchers } from '../credential/watch/watchers.ts';

import type { KeyStore } from '../keystore/keystore.ts';
import { systemRecord } from '../keystore/record-name.ts';
import type { Check } from '../ledger/change.ts';
import { LogGenerations } from '../ledger/generations.ts';
import { EmergencyJournal } from '../ledger/journal/emergency-journal.ts';
import type { Ledger, LedgerStatus } from '../ledger/ledger.ts';
import type { Notifier } from '../notify/notifier.ts';
import { patient } from '../notify/patient.ts';
import { loadProfiles, type Profiles } from '../partner/profile.ts';
import { DueBook } from '../rotation/due/book.ts';
import { DueStarter, type StarterOptions } from '../rotation/due/starter.ts';
import { Reminder, type ReminderOptions } from '../rotation/reminder/reminder.ts';
import { Rotator, type RotatorOptions } from '../rotation/workflow/rotator.ts';
import { AnswerSealers } from '../sealed/sealers.ts';
import { removeLeftovers } from './backup/leftovers.ts';
import type { Config } from './config.ts';
import { type IssuerObserver, type Issuers, openIssuers } from './issuers/open.ts';
import { openLedger } from './ledger/open-ledger.ts';
import type { AskSecret } from './master-key.ts';
import { openNotifiers } from './notify/open.ts';
import { keyCache, openFurtherStore, openOwnStore, type StoreObserver } from './stores.ts';

export interface OpenOptions {
  readonly ask: AskSecret;
  readonly clock?: Clock;
  /** The ledger is known to be an older copy, and its loss is accepted; recorded. Default false. */
  readonly acceptRollback?: boolean;
  /** The checkpoint outside could not be written; releases go on. */
  readonly onCheckpointFailure?: (error: KeyturnError) => void;
  /** Records of the emergency journal that can't be read, freezes perhaps; holds that rows denied and the log has. */
  readonly onReplay?: (found: { readonly torn: number; readonly restored: number }) => void;
  /** The ledger can commit no more, or can again. */
  readonly onLedgerStatus?: (status: LedgerStatus) => void;
  /** For metrics. */
  readonly observer?: StoreObserver;
  readonly issuerObserver?: IssuerObserver;
  readonly rotation?: RotationOptions;
  readonly reminders?: ReminderEvents;
}

/** How rotations go; the configuration says the rest. */
export type RotationOptions = Pick<RotatorOptions, 'pace' | 'resolve' | 'onPoint' | 'onError'> & {
  readonly onStartFailure?: NonNullable<StarterOptions['onFailure']>;
};

/** What becomes of reminders. */
export type ReminderEvents = Pick<ReminderOptions, 'onSent' | 'onFailure'>;

/** Who asks for the rules to be loaded anew, and what must still hold of them at the commit. */
export interface Reloader {
  readonly actor: string;
  readonly request: string;
  readonly checks: readonly Check[];
  /** The entry when one of the checks fails. */
  readonly refusal: EntryDraft;
}

/** Everything that one instance is made of, open and checked: ready to release keys. */
export interface Instance {
  readonly config: Config;
  readonly desk: Desk;
  readonly book: TokenBook;
  readonly watchers: Watchers;
  readonly journal: EmergencyJournal;
  readonly holdJournal: HoldJournal;
  /** Goes on with rotations when it is told to. */
  readonly rotator: Rotator;
  /** Reminds people of their tasks when it is told to. */
  readonly reminder: Reminder;
  /** Ways to people, each of which tries once. */
  readonly notifiers: readonly Notifier[];
  /** What is due and when; and begins it when it is told to. */
  readonly due: { readonly book: DueBook; readonly starter: DueStarter };
  readonly signer: LogSigner;
  readonly logKey: KeyObject;
  /** The instance's own encrypted file. */
  readonly store: KeyStore;
  /** Where certificates come from, by name. */
  readonly issuers: Issuers;
  /** Loads policy and profiles anew, whole or not at all, and records it. */
  readonly reload: (by: Reloader) => Promise<Rules>;
  close(): Promise<void>;
}

/** What is decided by. */
export interface Rules {
  readonly policy: Policy;
  readonly profiles: Profiles;
}

/**
 * Opens an instance in the order that lets nothing slip: key store → log key → ledger → the store is what the ledger
 * knew → policy → holds, the emergency journal's included → interrupted writes settled.
 * @throws KeyturnError of whatever stands in the way; then everything opened is closed again.
 */
export async function openInstance(config: Config, options: OpenOptions): Promise<Instance> {
  await using opened = new AsyncDisposableStack();
  const clock = options.clock ?? systemClock;
  const observer = options.observer ?? {};
  const store = await openOwnStore(config, options.ask, observer);
  opened.defer(() => store.close());
  // Whoever has the key store open takes the backups. What can't be removed now is told by the next backup.
  await removeLeftovers(config).catch(() => undefined);
  const logKey = await readLogKey(store);
  const signer = LogSigner.create(config.origin, logKey);
  const { ledger, checkpointFile } = await openLedger(
    config,
    { privateKey: logKey, vkey: signer.vkey },
    {
      ...(options.clock === undefined ? {} : { clock }),
      acceptRollback: options.acceptRollback ?? false,
      onFailure: (error) => options.onCheckpointFailure?.(error),
      onStatus: (status) => options.onLedgerStatus?.(status),
    },
  );
  opened.defer(() => checkpointFile.settled());
  opened.defer(() => ledger.close());
  await explainStore(ledger, store);
  const stores = new Map([[store.name, store]]);
  for (const setting of config.stores) {
    const further = await openFurtherStore(setting, ledger, { ask: options.ask, observer });
    opened.defer(() => further.close());
    stores.set(further.name, further);
  }
  const journal = await EmergencyJournal.open(config.journal);
  opened.defer(() => journal.close());

  const keys = opened.use(keyCache(config, clock, observer));
  let rules = await loadRules(config);
  // Read before what is loaded into memory, so that nothing falls between.
  const { size: loadedFrom } = await ledger.head();
  let others: ReplicaNews | null = null;
  const verifier = new LogVerifier({ origin: config.origin, keys: [signer.vkey] });
  const desk: Desk = {
    ledger,
    generations: await LogGenerations.load(ledger, verifier),
    policy: () => rules.policy,
    profiles: () => rules.profiles,
    stores,
    defaultStore: stores.get(config.defaultStore) ?? store,
    keys,
    storeQueue: new StoreQueue(ledger),
    holds: new HoldSwitch(),
    sealers: new AnswerSealers({ clock }),
    clock,
    leaseLimits: config.leases,
    policyIsCurrent: () => others?.policyIsCurrent ?? true,
  };
  const issuers = await openIssuers(config.issuers, {
    desk,
    ...(options.issuerObserver === undefined ? {} : { observer: options.issuerObserver }),
  });
  for (const issuer of issuers.values()) opened.defer(() => issuer.close());
  let reloading: Promise<unknown> = Promise.resolve();
  /** One after the other, so that what is in force here is always what the ledger says. */
  const reload = (by: Reloader): Promise<Rules> => {
    const mine = reloading.then(async () => {
      const next = await loadRules(config);
      await recordRules(ledger, clock, next, by);
      rules = next;
      return next;
    });
    reloading = mine.catch(() => undefined);
    return mine;
  };
  /** What another server of this ledger has loaded and recorded, once its files are here too. */
  const takeUp = (inForce: RulesInForce): Promise<void> => {
    const mine = reloading.then(async () => {
      const next = await loadRules(config);
      if (isInForce(next, inForce)) rules = next;
    });
    reloading = mine.catch(() => undefined);
    return mine;
  };
  await recordRules(ledger, clock, rules, null);
  // Replayed in any case, whoever asks for what was found.
  const replay = await replayHolds(desk, journal);
  options.onReplay?.(replay);
  await settlePending(desk);
  await settleCompanions(desk);
  await settleMoves(desk);
  const book = await TokenBook.load(ledger);
  const watchers = new Watchers(desk, { stands: (token) => book.stands(token) });
  opened.defer(() => watchers.close());
  opened.defer(ledger.follow(ledger.status().size, ({ to }) => watchers.news(to)));
  desk.holds.onPlaced = (target, subject) => watchers.frozen(target, subject);
  // A file has this one server alone.
  if ('postgres' in config.ledger) others = opened.use(new ReplicaNews({ desk, book, takeUp }, loadedFrom));
  const { onStartFailure, ...going } = options.rotation ?? {};
  const pace = { longestRequestMs: config.rotation.longestRequestMs, ...going.pace };
  const rotator = new Rotator({ desk, issuers, ...going, pace });
  opened.defer(() => rotator.stop());
  const plan = config.rotation.due;
  const dueBook = new DueBook(desk, plan);
  const onFailure = onStartFailure === undefined ? {} : { onFailure: onStartFailure };
  const starter = new DueStarter({ desk, issuers, book: dueBook, plan, ...onFailure });
  opened.defer(() => starter.stop());
  const notifiers = await openNotifiers(config.notify, clock);
  const reminder = new Reminder({ desk, notifiers: notifiers.map((one) => patient(one)), ...options.reminders });
  opened.defer(() => reminder.stop());
  const parts = opened.move();
  return {
    config,
    desk,
    book,
    watchers,
    journal,
    holdJournal: new HoldJournal(ledger, journal),
    rotator,
    reminder,
    notifiers,
    due: { book: dueBook, starter },
    signer,
    logKey,
    store,
    issuers,
    reload,
    close: () => parts.disposeAsync(),
  };
}

export async function readLogKey(store: KeyStore): Promise<KeyObject> {
  using octets = await store.read(systemRecord('log', 1));
  return createPrivateKey({ key: octets.bytes, format: 'der', type: 'pkcs8' });
}

async function loadRules(config: Config): Promise<Rules> {
  const [policy, profiles] = await Promise.all([
    loadPolicy(config.accessPolicies),
    loadProfiles(config.partnerProfiles),
  ]);
  return { policy, profiles };
}

async function recordRules(ledger: Ledger, clock: Clock, rules: Rules, by: Reloader | null): Promise<void> {
  const { digest } = rules.policy;
  const known = await rulesInForce(ledger);
  if (by === null && known.policy === digest && known.profiles === rules.profiles.digest) return;
  const outcome = await ledger.commit({
    ...(by === null ? {} : { checks: by.checks, refusal: by.refusal }),
    writes: [{ put: 'policies', row: { id: 'current', digest, loaded_at: clock.now() } }],
    entry: {
      kind: 'policy.loaded',
      actor: by?.actor ?? 'system',
      ...(by === null ? {} : { request: by.request }),
      data: {
        digest,
        before: known.policy,
        profiles: rules.profiles.digest,
        profilesBefore: known.profiles,
      },
    },
  });
  if (!outcome.committed) throw refused(outcome.rule);
}
