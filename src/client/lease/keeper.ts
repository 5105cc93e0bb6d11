import { FIRST_GENERATION } from '../../audit/generation.ts';
import type { Clock } from '../../core/clock.ts';
import { isKeyturnError, KeyturnError, unexpected } from '../../core/errors.ts';
import type { AnswerOpener } from '../../sealed/answer.ts';
import type { Scheduler } from '../scheduler.ts';
import type { LeaseServers, ServerOutcome } from '../server/lease-servers.ts';
import type { LeaseRequest, Use } from '../wire.ts';
import { type Accepted, acceptAnswer } from './accept.ts';
import { type Random, renewalDelay, retryDelay } from './cadence.ts';
import type { Material } from './material.ts';
import type { SeenLog } from './seen-log.ts';
import { instant, TimeLeft } from './time-left.ts';

/** What all credentials of one client share. */
export interface LeaseDesk {
  readonly servers: LeaseServers;
  readonly log: SeenLog;
  readonly opener: AnswerOpener;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/** Who wants a lease kept. Called synchronously, never after {@link LeaseKeeper.stop}. */
export interface LeaseHolder {
  readonly credential: string;
  /** Wished life in seconds; null leaves it to the server. */
  readonly ttlSeconds: number | null;
  held(): Material | null;
  /** What was used since the last report; `keepUses` hands back what could not be delivered. */
  takeUses(): readonly Use[];
  keepUses(uses: readonly Use[]): void;
  /** Versions in use: the one that is held, and those before it that requests still run on. */
  inUse(): readonly number[];
  accepted(accepted: Accepted, time: TimeLeft, call: 'grant' | 'renew'): void;
  /** Fail closed now. `reason` is the server's verdict, or `lease_expired`. */
  ended(reason: KeyturnError): void;
  /** Something went wrong that the running lease survives. */
  alarm(error: KeyturnError): void;
  called(call: 'grant' | 'renew', outcome: string, milliseconds: number): void;
}

/** Clients that were all told of one swap do not all report at one moment. */
const REPORT_SPREAD_MS = 1_000;

type Judged = { readonly kind: 'accepted'; readonly accepted: Accepted; readonly time: TimeLeft } | Failed;
type Failed = { readonly kind: 'verdict' | 'trouble'; readonly error: KeyturnError };

/**
 * Keeps one lease alive: asks, renews, tries again, and says when it is over. After an end it goes on asking for a
 * new lease, at most every half minute, so that a thawed credential comes back by itself.
 */
export class LeaseKeeper {
  readonly #desk: LeaseDesk;
  readonly #holder: LeaseHolder;
  /** Id of the lease to renew; null when the next call asks for a new one. */
  #lease: string | null = null;
  /** Lease that it goes on without: told with the next grant, so that nobody waits for its end. */
  #former: string | null = null;
  /** Number of the next report: that of the one before, until it was answered. */
  #report = 1;
  #time: TimeLeft | null = null;
  #failures = 0;
  #stopped = false;
  #cancelAsk: () => void = () => {};
  #cancelEnd: () => void = () => {};

  constructor(desk: LeaseDesk, holder: LeaseHolder) {
    this.#desk = desk;
    this.#holder = holder;
  }

  /** The first lease. @throws KeyturnError whatever stands in its way; then nothing runs on. */
  async start(): Promise<void> {
    const judged = await this.#desk.log.inTurn(() => this.#ask());
    if (judged.kind !== 'accepted') throw judged.error;
    this.#accept(judged, 'grant');
  }

  /**
   * Asks now instead of when it is due. Never throws. `inDoubt`: what to do when no server gives a verdict. A lease
   * rides that out; but when a server has told of a freeze and none can say otherwise, the freeze stands.
   */
  async ask(inDoubt: 'ride-out' | 'end' = 'ride-out'): Promise<void> {
    if (this.#stopped) return;
    // A process that slept asks for a new lease: its old one can't be renewed any more.
    if (this.#time?.over() === true) this.expire();
    this.#cancelAsk();
    const call = this.#lease === null ? 'grant' : 'renew';
    const judged = await this.#desk.log.inTurn(() => this.#ask());
    if (this.#stopped) return this.#tooLate(judged);
    if (judged.kind === 'accepted') return this.#accept(judged, call);
    if (judged.kind === 'verdict' && !this.#isDoubtful(judged.error)) return this.#end(judged.error);
    if (inDoubt === 'end' && this.#time !== null) return this.#end(toldFrozen());
    this.#trouble(judged.error);
  }

  /** Renews soon, so that the server hears what is in use now. */
  report(): void {
    if (this.#lease !== null) this.#askIn(this.#desk.random() * REPORT_SPREAD_MS);
  }

  /** Ends the lease if its time is over; true when it is. */
  expire(): boolean {
    if (this.#time?.over() !== true) return this.#time === null;
    this.#end(expired(this.#failures));
    return true;
  }

  /** Gives the lease back, as far as a server can be reached. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelAsk();
    this.#cancelEnd();
    if (this.#lease !== null) await this.#desk.servers.giveBack(this.#lease);
    this.#lease = null;
  }

  async #ask(): Promise<Judged> {
    const { clock } = this.#desk;
    const lease = this.#lease;
    const asked = instant(clock);
    const outcome = await this.#send(lease);
    const judged = this.#judge(outcome, lease, asked);
    const news = this.#desk.log.takeNews();
    if (news !== null) this.#holder.alarm(news);
    const result = judged.kind === 'accepted' ? 'ok' : judged.error.code;
    this.#holder.called(lease === null ? 'grant' : 'renew', result, clock.monotonic() - asked.monotonic);
    return judged;
  }

  async #send(lease: string | null): Promise<ServerOutcome> {
    const { servers, opener, log } = this.#desk;
    const { ttlSeconds, credential } = this.#holder;
    const request: LeaseRequest = {
      hpkePublicKey: opener.publicKey,
      seen: log.size,
      ...(log.generation === FIRST_GENERATION ? {} : { generation: log.generation }),
      ...(ttlSeconds === null ? {} : { ttlSeconds }),
    };
    if (lease === null) {
      return await servers.grant(credential, this.#former === null ? request : { ...request, replaces: this.#former });
    }
    const uses = this.#holder.takeUses();
    const report = { uses, report: this.#report, inUse: this.#holder.inUse() };
    const outcome = await servers.renew(lease, { ...request, ...report });
    if (outcome.kind === 'answer') this.#report += 1;
    else this.#holder.keepUses(uses);
    return outcome;
  }

  #judge(outcome: ServerOutcome, lease: string | null, asked: ReturnType<typeof instant>): Judged {
    if (outcome.kind !== 'answer') return outcome;
    const { log, opener, clock } = this.#desk;
    const call = lease === null ? 'grant' : 'renew';
    const expected = { call, credential: this.#holder.credential, lease, held: this.#holder.held() } as const;
    try {
      const accepted = acceptAnswer(outcome.value, expected, log, opener);
      return { kind: 'accepted', accepted, time: new TimeLeft(clock, asked, accepted.answer.secondsLeft) };
    } catch (error) {
      return { kind: 'trouble', error: isKeyturnError(error) ? error : unexpected(error) };
    }
  }

  #accept({ accepted, time }: Extract<Judged, { kind: 'accepted' }>, call: 'grant' | 'renew'): void {
    this.#failures = 0;
    this.#lease = accepted.answer.lease;
    this.#former = null;
    if (accepted.lacksKey) this.#forget();
    this.#time = time;
    this.#holder.accepted(accepted, time, call);
    this.#watchEnd(time);
    const elapsed = time.whole - time.left();
    this.#askIn(accepted.lacksKey ? 0 : renewalDelay(time.whole, this.#desk.random) - elapsed);
  }

  /**
   * An answer that was lost or refused may have been the one that replaced the lease. Its end is no verdict then:
   * the grant that follows brings one.
   */
  #isDoubtful(error: KeyturnError): boolean {
    return this.#failures > 0 && this.#time !== null && ['lease_ended', 'lease_superseded'].includes(error.code);
  }

  #trouble(error: KeyturnError): void {
    if (this.#isDoubtful(error) || error.code === 'not_found') this.#forget();
    this.#failures += 1;
    this.#holder.alarm(error);
    this.#askIn(retryDelay(this.#failures, this.#desk.random));
  }

  #end(reason: KeyturnError): void {
    this.#cancelEnd();
    if (this.#time !== null) this.#failures = 0;
    this.#forget();
    this.#time = null;
    this.#failures += 1;
    this.#holder.ended(reason);
    this.#askIn(retryDelay(this.#failures, this.#desk.random));
  }

  /** The next call asks for a new lease. */
  #forget(): void {
    this.#former = this.#lease ?? this.#former;
    this.#lease = null;
  }

  #watchEnd(time: TimeLeft): void {
    this.#cancelEnd();
    this.#cancelEnd = this.#desk.scheduler.after(time.left(), () => {
      if (!this.expire()) this.#watchEnd(time);
    });
  }

  #askIn(ms: number): void {
    this.#cancelAsk();
    if (!this.#stopped) this.#cancelAsk = this.#desk.scheduler.after(Math.max(0, ms), () => void this.ask());
  }

  /** A lease that arrived after the end of everything is given back. */
  async #tooLate(judged: Judged): Promise<void> {
    if (judged.kind !== 'accepted') return;
    for (const octets of judged.accepted.companions.values()) octets.dispose();
    await this.#desk.servers.giveBack(judged.accepted.answer.lease);
  }
}

/** `failures`: tries in a row that came to nothing. */
function expired(failures: number): KeyturnError {
  if (failures > 0) {
    return new KeyturnError('lease_expired', 'The lease ended before it could be renewed.', {
      fix: 'Look at the alarms before: they say why no Keyturn server could be asked.',
    });
  }
  const why = 'this process slept, its clock was set ahead, or its token, its grant or the certificate ends';
  return new KeyturnError('lease_expired', `The lease ended with no try to renew it: ${why}.`, {
    fix: 'A new one is asked for by itself; renew() asks at once. If none comes, status().reason says why.',
  });
}

function toldFrozen(): KeyturnError {
  return new KeyturnError('held', 'A Keyturn server told of a freeze, and none could be asked whether it stands.', {
    fix: 'See who froze it and why: keyturn hold list. Once it is lifted, the lease comes back by itself.',
  });
}
