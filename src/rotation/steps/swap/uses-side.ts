import type { UsesSeen } from '../../workflow/facts.ts';

/** What is counted of requests. */
interface Count {
  readonly requests: number;
  /** Of them, those that the certificate may have failed. */
  readonly failures: number;
}

/** What a client process says at one renewal of a lease. */
export interface Told extends Count {
  readonly lease: string;
  /** Its number under that lease; null from a client that numbers none. */
  readonly report: number | null;
}

/** Principals that are named. */
const MOST_NAMED = 8;

/** Those who have a lease on one version, and what they have reported of it. */
export class UsesSide {
  readonly #processes = new Map<string, Process>();

  /** It has a lease on the version, until then (milliseconds since the epoch). */
  has(principal: string, client: string, until: number): Process {
    const name = `${principal} ${client}`;
    const known = this.#processes.get(name) ?? new Process(principal);
    known.until = Math.max(known.until, until);
    this.#processes.set(name, known);
    return known;
  }

  seen(now: number): UsesSeen {
    const processes = [...this.#processes.values()];
    const heard = processes
      .map((one) => ({ principal: one.principal, ...one.sum() }))
      .filter(({ requests }) => requests > 0);
    const failing = heard.filter(({ failures }) => failures > 0);
    return {
      clients: processes.length,
      heard: heard.length,
      awaited: processes.filter((one) => one.until > now && !one.hasRenewed).length,
      failing: failing.length,
      failingOf: [...new Set(failing.map(({ principal }) => principal))].toSorted().slice(0, MOST_NAMED),
      requests: heard.reduce((sum, one) => sum + one.requests, 0),
      failures: heard.reduce((sum, one) => sum + one.failures, 0),
      rate: rateOf(heard),
    };
  }
}

/** One client process. */
class Process {
  readonly principal: string;
  /** Its newest lease ends then. */
  until = 0;
  /** It has had the time to report. */
  hasRenewed = false;
  #requests = 0;
  #failures = 0;
  /** The newest report under each lease: it may come again, with more. */
  readonly #newest = new Map<string, Told>();

  constructor(principal: string) {
    this.principal = principal;
  }

  /** A report whose answer was lost comes again under its number, alone or with what came later: it takes its own place. */
  report(told: Told): void {
    this.hasRenewed = true;
    const newest = this.#newest.get(told.lease);
    if (told.report === null) {
      this.#settle(told);
    } else if (newest === undefined || (newest.report ?? 0) < told.report) {
      if (newest !== undefined) this.#settle(newest);
      this.#newest.set(told.lease, told);
    } else if (newest.report === told.report) {
      this.#newest.set(told.lease, larger(newest, told));
    }
  }

  /** A failure may be reported before the request that it is of. */
  sum(): Count {
    const open = [...this.#newest.values()];
    const requests = open.reduce((sum, told) => sum + told.requests, this.#requests);
    const failures = open.reduce((sum, told) => sum + told.failures, this.#failures);
    return { requests: Math.max(requests, failures), failures };
  }

  #settle({ requests, failures }: Count): void {
    this.#requests += requests;
    this.#failures += failures;
  }
}

function larger(one: Told, other: Told): Told {
  return {
    ...other,
    requests: Math.max(one.requests, other.requests),
    failures: Math.max(one.failures, other.failures),
  };
}

/**
 * The part of the requests that failed, where none counts for more of them than the median one does: whoever is busier, or
 * says so, does not speak for the others.
 */
function rateOf(counts: readonly Count[]): number {
  const sizes = counts.map(({ requests }) => requests).toSorted((a, b) => a - b);
  const most = sizes[(sizes.length - 1) >> 1];
  if (most === undefined) return 0;
  const weights = counts.map(({ requests }) => Math.min(requests, most));
  const failed = counts.map(({ requests, failures }, at) => ((weights[at] ?? 0) * failures) / requests);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return sum(failed) / sum(weights);
}
