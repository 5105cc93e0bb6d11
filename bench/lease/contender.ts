import type { LoadResult, Plan } from './wrk.ts';

/** A server under load. */
export interface Contender {
  readonly name: string;
  /** One for each server; all have one host. */
  readonly urls: readonly string[];
  /** Processes of the server itself. */
  readonly pids: readonly number[];
  /** A database server that works for it, if it has one. */
  readonly database: number | null;
  /** What to send in the next round. */
  readonly plan: () => Promise<Plan>;
  /** After a round: compares what was answered with what is durable. @throws Error when they differ. */
  readonly settle: (result: LoadResult, connections: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}
