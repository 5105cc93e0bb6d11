import type { LoadResult, Plan } from './wrk.ts';

/** A server under load. */
export interface Contender {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** What to send in the next round. */
  readonly plan: () => Promise<Plan>;
  /** After a round: compares what was answered with what is durable. @throws Error when they differ. */
  readonly settle: (result: LoadResult, connections: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}
