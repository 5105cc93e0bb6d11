import type { Canary } from '../../e2e/canary/search/secrets.ts';
import type { StoreUnderFault, Verb } from './cell.ts';
import type { Held } from './held.ts';

/** What each verb comes to, and behind the arrow what the store then holds. */
export type Row = Readonly<Partial<Record<Verb, string>>>;

/** One thing that goes wrong. `P`: where one cell's store lies. */
export interface Fault<P> {
  /** Before any store is opened. */
  readonly arm?: (places: readonly P[]) => Promise<void>;
  readonly open: (place: P) => StoreUnderFault;
  /** With it, every store is opened first and has answered once; then this happens. */
  readonly strike?: (places: readonly P[]) => Promise<void>;
  readonly lift?: (places: readonly P[]) => Promise<void>;
  /** After it was looked at what the stores hold. */
  readonly end?: () => Promise<void>;
  /** What the store holds when it is asked. Default: record 1. */
  readonly before?: Held;
  /** The store that is asked is another than the one that holds record 1, so that destroying takes nothing there. */
  readonly elsewhere?: boolean;
}

/** An adapter's real server or disk, and what can be planted there. */
export interface FaultBench<P> {
  readonly faults: Readonly<Record<string, Fault<P>>>;
  /** Secrets of this bench: tokens, credentials, master keys. The octets of records are looked for anyway. */
  readonly canaries: readonly Canary[];
  /** A fresh place that holds record 1. */
  prepare(verb: Verb): Promise<P>;
  /** What it holds after all, told by somebody whom no fault disturbs. */
  held(place: P): Promise<Held>;
  /** An outcome without what differs from run to run. */
  settled(outcome: string): string;
  /** What must be empty at the end, or the bench has shown nothing. */
  broken(): readonly unknown[];
  stop(): Promise<void>;
}

/** A bench whose places nobody else needs to know. */
export interface RunningBench {
  readonly faults: readonly string[];
  readonly canaries: readonly Canary[];
  run(fault: string, verbs: readonly Verb[]): Promise<RowRun>;
  broken(): readonly unknown[];
  stop(): Promise<void>;
}

export interface RowRun {
  readonly row: Row;
  readonly said: Buffer;
  /** Against the promise of held.ts. */
  readonly brokenPromises: readonly string[];
}

export interface FaultHarness {
  /** Whether the store is a server behind a network. */
  readonly network: boolean;
  readonly verbs: readonly Verb[];
  /** Decided case by case, not recorded. */
  readonly expected: Readonly<Record<string, Row>>;
  /** Faults of every network store that this one can't have, and why. */
  readonly impossible: Readonly<Record<string, string>>;
  readonly start: () => Promise<RunningBench>;
}

/** What happens to every store that is a server behind a network. */
export const NETWORK_FAULTS = [
  'no fault',
  'down at start',
  'down later',
  'slow but in time',
  'too slow',
  'hang',
  'sealed',
  'standby',
  'denied in the middle of a write',
  'lost answers of changes',
  'throttled',
  'wrong content type, 200',
  'redirect elsewhere',
  'truncated body',
  'server certificate expired',
  'credentials expired',
  'clock skew',
] as const;
