import { type Clock, systemClock } from '../core/clock.ts';
import { AnswerOpener } from '../sealed/answer.ts';
import { KeyturnClient } from './client.ts';
import { type ConnectionFile, readConnection } from './connection-file.ts';
import { type ClientListeners, type ClientMetrics, callSafely } from './events.ts';
import type { Random } from './lease/cadence.ts';
import { SeenLog } from './lease/seen-log.ts';
import { assertConnectOptions } from './options.ts';
import { type Scheduler, systemScheduler } from './scheduler.ts';
import { ServerExchange } from './server/exchange.ts';
import { LeaseServers } from './server/lease-servers.ts';
import { LeaseWatch } from './server/watch.ts';
import { type TokenOption, tokenFileWarning, tokenSource } from './token-source.ts';

export interface ConnectOptions {
  /** Path of the connection file that `keyturn token create` wrote, or its content. */
  readonly connection: string | ConnectionFile;
  /** Path of the token file, read anew for every call; or a function that gives a fresh Buffer, which is wiped. */
  readonly token: TokenOption;
  /** Listeners for the events of all credentials, and `warning`. */
  readonly on?: ClientListeners;
  readonly metrics?: ClientMetrics;
  /** Longest time for one call to one Keyturn server, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number;
  /**
   * Hear of promotions and freezes from the server, and renew at once; else at the next renewal. Default: true.
   */
  readonly watch?: boolean;
  /** For tests. Default: the system's. */
  readonly clock?: Clock;
  /** For tests. Default: timers that do not keep the process alive. */
  readonly scheduler?: Scheduler;
  /** For tests: the jitter's source. Default: Math.random. */
  readonly random?: Random;
}

const TIMEOUT_MS = 5_000;

/**
 * Prepares a client. Nothing is asked of a server yet, and nothing is trusted on first use: the servers' CA and the
 * log's keys are those of the connection file.
 * @throws KeyturnError `connection_file_invalid`; `invalid_input` for an option that can't be.
 */
export async function connect(options: ConnectOptions): Promise<KeyturnClient> {
  assertConnectOptions(options);
  const { servers, ca, log } = await readConnection(options.connection);
  const { on = {}, clock = systemClock, scheduler = systemScheduler, timeoutMs = TIMEOUT_MS } = options;
  const warning = await tokenFileWarning(options.token);
  if (warning !== null) callSafely(() => on.warning?.({ message: warning }));
  const exchange = new ServerExchange({ ca, token: tokenSource(options.token), timeoutMs, scheduler });
  const random = options.random ?? Math.random;
  return new KeyturnClient({
    watch: options.watch === false ? null : new LeaseWatch({ servers, source: exchange, scheduler, random }),
    desk: {
      servers: new LeaseServers(servers, exchange, clock),
      log: new SeenLog(log),
      opener: AnswerOpener.generate(),
      clock,
      scheduler,
      random,
    },
    listeners: on,
    metrics: options.metrics ?? {},
  });
}
