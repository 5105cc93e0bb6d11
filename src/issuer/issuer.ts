import type { Clock } from '../core/clock.ts';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { judgeIssued, type Mismatch } from '../x509/issued/judge-issued.ts';
import type { Warning } from '../x509/judge.ts';
import type { IssuerCapabilities } from './capabilities.ts';
import { certificatesIn } from './certificates.ts';
import type {
  Asked,
  Awaited,
  DriverIssued,
  FoundCertificate,
  IssueRequest,
  IssuerDriver,
  IssuerHealth,
  Revoked,
  RevokeRequest,
} from './driver.ts';
import { issuerRefused, issuerUnavailable, mayHaveHappened } from './failure.ts';
import type { IssuerKind } from './registry.ts';

export type IssuerVerb = 'issue' | 'find' | 'revoke' | 'check';

export interface IssuerOptions {
  readonly clock: Clock;
  /** How long one call of the driver may take, in milliseconds. Default: 30 000. */
  readonly timeoutMs?: number;
  /** Told after each verb: whether it succeeded, and how many seconds it took. Must not throw. */
  readonly observe?: (verb: IssuerVerb, ok: boolean, seconds: number) => void;
}

/** A certificate that an issuer gave, judged. It exists, and has to be revoked, also where it may not be used. */
export interface Issued {
  readonly kind: 'issued';
  readonly certificate: Certificate;
  /** Leaf-side first. */
  readonly chain: readonly Certificate[];
  /** Why it is not what was asked for, or not fit for use; empty when it may be used. */
  readonly mismatches: readonly Mismatch[];
  readonly warnings: readonly Warning[];
}

/**
 * An issuer as its users hold it, over whichever driver. Validates what is asked, ends calls that hang, reads and judges
 * what comes back, and looks before it gives up on a lost answer.
 *
 * Every verb rejects with a KeyturnError: `invalid_input` before the driver is asked; `issuer_refused` and
 * `issuer_unavailable` as {@link IssuerDriver} says. {@link mayHaveHappened} tells whether to look before asking again.
 */
export class Issuer {
  /** As configuration and profiles call it. */
  readonly name: string;
  readonly kind: IssuerKind;
  readonly driver: IssuerDriver;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #observe: (verb: IssuerVerb, ok: boolean, seconds: number) => void;

  constructor(name: string, kind: IssuerKind, driver: IssuerDriver, options: IssuerOptions) {
    this.name = name;
    this.kind = kind;
    this.driver = driver;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#observe = options.observe ?? (() => {});
  }

  get can(): IssuerCapabilities {
    return this.driver.can;
  }

  /**
   * Asks for a certificate, once. When the answer is lost and the issuer can look, it is looked for: found, it is the
   * answer. A certificate that is not what was asked for is given as well, with what is wrong.
   * @throws KeyturnError `issuer_refused`: nothing was issued. `issuer_unavailable`: see {@link mayHaveHappened}; then
   * `resume` asks on, where `can.finds`, and within `can.sameAnswerSeconds` elsewhere.
   */
  issue(request: IssueRequest, signal?: AbortSignal): Promise<Issued | Awaited> {
    return this.#observed('issue', async () => {
      this.#checkRequest(request);
      try {
        return this.#judged(await this.#inTime('issue', signal, (each) => this.driver.issue(request, each)), request);
      } catch (error) {
        const found = mayHaveHappened(error) ? await this.#search(request).catch(() => 'unknown' as const) : 'nothing';
        if (found === 'nothing' || found === 'unknown') throw error;
        return found;
      }
    });
  }

  /**
   * Goes on after an `issue` whose outcome is not known: gives what was issued for the request's key, or issues it now.
   * @throws KeyturnError as `issue`; `issuer_refused` when the issuer can't look: then nobody asks blindly.
   */
  async resume(request: IssueRequest, signal?: AbortSignal): Promise<Issued | Awaited> {
    this.#checkRequest(request);
    if (this.can.answers === 'awaited' || this.#givesTheSame(request)) return this.issue(request, signal);
    const found = await this.#search(request, signal);
    if (found === 'unknown') {
      throw issuerRefused(
        `The issuer ${this.name} can't say whether it has issued a certificate for this key.`,
        'Look there by hand; revoke what is found, and start again with a new key.',
      );
    }
    return found === 'nothing' ? this.issue(request, signal) : found;
  }

  /** What it knows to have issued for a key, revoked or not; null when it can't say, which is not "nothing". */
  find(spki: string, signal?: AbortSignal): Promise<readonly FoundCertificate[] | null> {
    if (!/^[0-9a-f]{64}$/.test(spki)) return Promise.reject(new KeyturnError('invalid_input', 'That names no key.'));
    return this.#observed('find', () => this.#inTime('find', signal, (each) => this.driver.find(spki, each)));
  }

  /**
   * Resolves when the certificate is revoked, by this call or an earlier one; or says whom a person has to ask.
   * @throws KeyturnError `issuer_unavailable` when it may have been; asking again does no harm.
   */
  revoke(request: RevokeRequest, signal?: AbortSignal): Promise<Revoked | Asked> {
    return this.#observed('revoke', async () => {
      const [certificate] = certificatesIn(request.certificate);
      if (certificate === undefined) throw new KeyturnError('invalid_input', 'There is no certificate to revoke.');
      return this.#inTime('revoke', signal, (each) => this.driver.revoke(request, each));
    });
  }

  /** Whether it would serve now. Never rejects. */
  async check(): Promise<IssuerHealth> {
    try {
      return await this.#observed('check', () =>
        this.#inTime('check', undefined, (signal) => this.driver.health(signal)),
      );
    } catch (error) {
      const detail = isKeyturnError(error) ? error.message : `The issuer ${this.name} does not answer.`;
      return { ready: false, detail };
    }
  }

  close(): Promise<void> {
    return this.driver.close();
  }

  #checkRequest({ id, request, lifetimeSeconds }: IssueRequest): void {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new KeyturnError('invalid_input', 'That is no name of an issuance.');
    if (lifetimeSeconds !== null && !(Number.isSafeInteger(lifetimeSeconds) && lifetimeSeconds > 0)) {
      throw new KeyturnError('invalid_input', 'A certificate lasts a whole number of seconds.');
    }
    const maker = request === null ? 'partner' : 'keyturn';
    if (this.can.keyMadeBy.includes(maker)) return;
    throw new KeyturnError('invalid_input', `The issuer ${this.name} issues nothing for a key that ${maker} makes.`, {
      fix: 'Correct issuance.key in the profile of the partner.',
    });
  }

  /** Whether asking again is asking once. A tenth is kept back for clocks and the way. */
  #givesTheSame({ askedAt }: IssueRequest): boolean {
    const { sameAnswerSeconds } = this.can;
    if (sameAnswerSeconds === Number.POSITIVE_INFINITY) return true;
    const since = askedAt === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() - askedAt;
    return since >= 0 && since < sameAnswerSeconds * 900;
  }

  /** What it has issued for the request's key and not revoked. */
  async #search(request: IssueRequest, signal?: AbortSignal): Promise<Issued | 'nothing' | 'unknown'> {
    const all = request.request === null ? null : await this.find(request.request.spki, signal);
    if (all === null) return 'unknown';
    const alive = all.filter(({ revoked }) => !revoked);
    const [live] = alive.toSorted((a, b) => b.certificate.notAfter - a.certificate.notAfter);
    if (live === undefined) return 'nothing';
    return this.#judge(live.certificate, certificatesIn(live.chain), request);
  }

  #judged(answer: DriverIssued | Awaited, request: IssueRequest): Issued | Awaited {
    if (answer.kind === 'awaited') return answer;
    const [leaf] = certificatesIn(answer.certificate);
    if (leaf !== undefined) return this.#judge(leaf, certificatesIn(answer.chain), request);
    throw issuerUnavailable(`The issuer ${this.name} answered without a certificate.`, { certain: false });
  }

  #judge(leaf: Certificate, issuers: readonly Certificate[], { request, lifetimeSeconds, issuerChain }: IssueRequest) {
    if (request === null) throw new KeyturnError('internal', 'A certificate came for a key that nobody here has.');
    const asked = { spki: request.spki, identity: request.identity, lifetimeSeconds, issuerChain };
    const judgement = judgeIssued(leaf, issuers, asked, this.#clock.now());
    return { kind: 'issued', certificate: leaf, ...judgement } as const;
  }

  /** Ends when the time is over, when `signal` fires, or when the driver settles; its errors are made ours. */
  async #inTime<T>(verb: IssuerVerb, signal: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>) {
    const limit = AbortSignal.timeout(this.#timeoutMs);
    const either = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    if (either.aborted) throw issuerUnavailable(`The issuer ${this.name} was not asked.`, { certain: true });
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const onEnd = () => {
      const why = limit.aborted ? `did not answer ${verb} within ${this.#timeoutMs} ms` : 'was not waited for';
      const fix = 'Check that it can be reached; what was asked may still have happened.';
      reject(issuerUnavailable(`The issuer ${this.name} ${why}.`, { certain: false, fix }));
    };
    either.addEventListener('abort', onEnd, { once: true });
    try {
      return await Promise.race([ended, this.#started(call(either))]);
    } finally {
      either.removeEventListener('abort', onEnd);
      ended.catch(() => undefined);
    }
  }

  /** What others throw may quote a token, so it is not kept as a cause. */
  async #started<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (isKeyturnError(error)) throw error;
      throw issuerUnavailable(`The issuer ${this.name} failed without saying why.`, { certain: false });
    }
  }

  async #observed<T>(verb: IssuerVerb, call: () => Promise<T>): Promise<T> {
    const start = performance.now();
    let ok = false;
    try {
      const result = await call();
      ok = true;
      return result;
    } finally {
      this.#observe(verb, ok, (performance.now() - start) / 1000);
    }
  }
}
