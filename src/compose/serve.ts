import { readFile } from 'node:fs/promises';
import type { Server as HttpsServer } from 'node:https';
import { type Clock, systemClock } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import { settleCompanions } from '../credential/companion.ts';
import { expireLeases } from '../credential/lease/end.ts';
import { settleMoves } from '../credential/store/settle-moves.ts';
import { settlePending } from '../credential/version/settle.ts';
import { systemRecord } from '../keystore/record-name.ts';
import { createApp } from '../server/http/app.ts';
import { LocalSocket } from '../server/local-socket.ts';
import { ServerLog } from '../server/log/server-log.ts';
import { StoreLog } from '../server/log/store-log.ts';
import { StrangerLog } from '../server/log/stranger-log.ts';
import { Metrics } from '../server/metrics.ts';
import { watchRotations } from '../server/rotation-metrics.ts';
import { openServerCa } from '../tls/ca.ts';
import { caSource } from '../tls/ca-source.ts';
import { fileSource } from '../tls/file-source.ts';
import { listen } from '../tls/listen.ts';
import { createListener, LISTENER_CONTEXT } from '../tls/listener.ts';
import { ListenerCertificate } from '../tls/listener-certificate.ts';
import type { ServerIdentitySource } from '../tls/server-identity.ts';
import type { Config } from './config.ts';
import { connectionFacts } from './connection.ts';
import { Drain } from './drain.ts';
import { type AskSecret, cannotAsk } from './master-key.ts';
import { type Instance, openInstance, type RotationOptions } from './open.ts';
import { allRoutes } from './routes.ts';

/** How often overdue leases are marked, failed writes settled and counted strangers written, milliseconds. */
const CHORES_EVERY_MS = 10_000;
/** How often rotations are looked after, milliseconds: what waits for somebody is then soon gone on with. */
const ROTATIONS_EVERY_MS = 1_000;
/** How often it is looked whether a rotation is due, milliseconds. */
const DUE_EVERY_MS = 60_000;
/** How often it is looked whether somebody is to be reminded, milliseconds. */
const REMINDERS_EVERY_MS = 15_000;

export interface Serving {
  /** `https://…`, as in connection files. */
  readonly url: string;
  readonly port: number;
  readonly instance: Instance;
  readonly log: ServerLog;
  /** Stops taking requests, lets those under way finish, closes all. */
  stop(): Promise<void>;
}

export interface ServeOptions {
  /** Asks for a passphrase; default: cannot ask. */
  readonly ask?: AskSecret;
  /** Default: JSON lines on standard error. */
  readonly log?: ServerLog;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** The ledger is known to be an older copy, and its loss is accepted; recorded. Default false. */
  readonly acceptRollback?: boolean;
  readonly rotation?: Pick<RotationOptions, 'pace' | 'resolve' | 'onPoint'>;
}

/** Opens an instance and serves its API: over TLS for all, on the local socket for freezing alone. */
export async function serve(config: Config, options: ServeOptions = {}): Promise<Serving> {
  await using opened = new AsyncDisposableStack();
  const metrics = new Metrics();
  const log = options.log ?? new ServerLog();
  const storeLog = new StoreLog(log, options.clock ?? systemClock);
  let checkpointFailures = 0;
  const instance = await openInstance(config, {
    ask: options.ask ?? cannotAsk,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    acceptRollback: options.acceptRollback ?? false,
    onCheckpointFailure: ({ message }) => {
      checkpointFailures += 1;
      log.warning('outside-checkpoint-failed', { message });
    },
    onReplay: ({ torn, restored }) => {
      if (torn > 0) log.warning('freeze-journal-torn', { records: torn });
      if (restored > 0) log.warning('holds-restored', { holds: restored });
    },
    onLedgerStatus: ({ state, detail }) => {
      if (state === 'ready') log.notice('ledger-ready');
      else if (state !== 'closed') log.warning('ledger-unavailable', { state, detail });
    },
    rotation: {
      ...options.rotation,
      onError: (row, error) => {
        const code = error instanceof KeyturnError ? error.code : 'internal';
        log.warning('rotation-failed', { rotation: row.id, step: row.step, code });
      },
      onStartFailure: (credential, error) => {
        const code = error instanceof KeyturnError ? error.code : 'internal';
        log.warning('rotation-cannot-begin', { credential, code });
      },
    },
    reminders: {
      onSent: (by, sent) => metrics.reminders.inc({ by, result: sent ? 'sent' : 'failed' }),
      onFailure: (by, cause) => log.warning('notify-failed', { by, cause }),
    },
    observer: {
      call: (store, verb, ok, seconds) =>
        metrics.storeSeconds.observe({ store, verb, result: ok ? 'ok' : 'error' }, seconds),
      failure: (store, verb, error) => storeLog.failure(store, verb, error),
      health: (store, health) => storeLog.health(store, health),
      circuit: (store, circuit) => metrics.circuit(store, circuit),
      cache: (result) => metrics.keyCache.inc({ result }),
    },
    issuerObserver: {
      call: (issuer, verb, ok, seconds) =>
        metrics.issuerSeconds.observe({ issuer, verb, result: ok ? 'ok' : 'error' }, seconds),
      circuit: (issuer, circuit) => metrics.issuerCircuit(issuer, circuit),
    },
  });
  opened.defer(() => instance.close());
  const { desk } = instance;
  const strangers = new StrangerLog(desk.ledger, desk.clock);
  opened.defer(() => strangers.tick(true));

  let connection = await connectionFacts(config, instance.logKey);
  const routes = allRoutes(instance, metrics, () => connection);
  const gate = { book: instance.book, strangers, metrics, log, clock: desk.clock };
  const listener = createListener(createApp(gate, routes));
  const certificate = opened.use(await attachCertificate(listener, instance, log));
  metrics.watch(desk, {
    listenerNotAfter: () => certificate.notAfter / 1000,
    checkpointFailures: () => checkpointFailures,
    watchers: () => instance.watchers.count,
  });
  watchRotations(metrics.registry, desk, () => instance.due.starter.summary());

  const socket = await LocalSocket.open(config.socket, desk, instance.holdJournal);
  const socketDrain = new Drain(socket.server);
  opened.defer(() => socketDrain.stop());
  const socketWatch = setInterval(() => void watchSocket(socket, config, log), CHORES_EVERY_MS).unref();
  opened.defer(() => {
    clearInterval(socketWatch);
    return socket.leave();
  });
  const chores = setInterval(choresOf(instance, strangers, log), CHORES_EVERY_MS).unref();
  opened.defer(() => clearInterval(chores));
  const rounds: [string, number, () => Promise<unknown>][] = [
    ['rotations', ROTATIONS_EVERY_MS, () => instance.rotator.tick()],
    ['rotations-due', DUE_EVERY_MS, () => instance.due.starter.tick()],
    ['reminders', REMINDERS_EVERY_MS, () => instance.reminder.tick()],
  ];
  for (const [name, everyMs, round] of rounds) {
    const timer = setInterval(roundsOf(instance, log, name, round), everyMs).unref();
    opened.defer(() => clearInterval(timer));
  }
  const drain = new Drain(listener);
  const port = await listen(listener, config.listen);
  opened.defer(() => drain.stop());
  // Before the drain, which waits for every answer that is under way.
  opened.defer(() => instance.watchers.close());
  connection = await connectionFacts(config, instance.logKey, port);
  log.notice('listening', { port, origin: config.origin });
  // Of one that is down at the start the log tells at once, not when it is first needed.
  for (const store of desk.stores.values()) void store.health();
  const parts = opened.move();
  return { url: connection.servers[0] ?? '', port, instance, log, stop: () => parts.disposeAsync() };
}

async function attachCertificate(
  listener: HttpsServer,
  instance: Instance,
  log: ServerLog,
): Promise<ListenerCertificate> {
  return ListenerCertificate.attach(listener, LISTENER_CONTEXT, {
    source: await identitySource(instance),
    clock: instance.desk.clock,
    onEvent: (event) =>
      event.kind === 'renewed'
        ? log.notice('listener-certificate-renewed', { notAfter: event.notAfter })
        : log.warning('listener-certificate-failed', { retryInMs: event.retryInMs }),
  });
}

/** Our own small CA with its key from the key store, or the operator's certificate files. */
async function identitySource({ config, store }: Instance): Promise<ServerIdentitySource> {
  if ('certificate' in config.certificate) return fileSource(config.certificate);
  using key = await store.read(systemRecord('ca', 1));
  const ca = openServerCa(await readFile(config.certificate.ca, 'utf8'), key);
  return caSource({ ca, names: config.listen.names });
}

/** Also while the ledger is down: it is then that somebody may need it. */
async function watchSocket(socket: LocalSocket, { socket: path }: Config, log: ServerLog): Promise<void> {
  try {
    if (await socket.keep()) log.warning('local-socket-restored', { path });
  } catch (error) {
    log.warning('local-socket-gone', { path, code: error instanceof KeyturnError ? error.code : 'internal' });
  }
}

/** What is done now and then; a round that takes long delays the next one. */
function choresOf(instance: Instance, strangers: StrangerLog, log: ServerLog): () => void {
  let busy = false;
  return () => {
    strangers.tick();
    if (busy || instance.desk.ledger.status().state !== 'ready') return;
    busy = true;
    doChores(instance)
      .catch((error: unknown) => {
        log.warning('chores-failed', { code: error instanceof KeyturnError ? error.code : 'internal' });
      })
      .finally(() => {
        busy = false;
      });
  };
}

function roundsOf({ desk }: Instance, log: ServerLog, name: string, round: () => Promise<unknown>): () => void {
  return () => {
    if (desk.ledger.status().state !== 'ready') return;
    round().catch((error: unknown) => {
      log.warning(`${name}-failed`, { code: error instanceof KeyturnError ? error.code : 'internal' });
    });
  };
}

/** Exported for tests, which do not wait for the timer. */
export async function doChores({ desk, holdJournal }: Instance): Promise<void> {
  await holdJournal.settle();
  // What is left is the ledger's: one of its servers does it, the others come again later.
  await desk.ledger.withFence(['chores'], 'try', async () => {
    await expireLeases(desk);
    await settlePending(desk);
    await settleCompanions(desk);
    await settleMoves(desk);
  });
}
