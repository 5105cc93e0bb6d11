import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { Check } from '../change.ts';
import type { Fence, Fenced, FenceMode } from '../fence.ts';
import type { Session } from './connection/session.ts';
import { describe } from './database/fault.ts';
import { lockKey } from './database/lock-key.ts';

export interface FencesOptions {
  readonly schema: string;
  /** A session that may write, and may wait as long as a fence may be waited for. */
  readonly connect: () => Promise<Session>;
}

/**
 * Fences of all replicas: an advisory lock each, on a connection of its own, and a number that grows each time one is
 * taken. The number is raised under the head's lock, in line with all commits: so what an earlier holder committed was
 * committed before, and what it commits later fails.
 */
export class Fences {
  readonly #options: FencesOptions;
  readonly #open = new Set<Session>();

  constructor(options: FencesOptions) {
    this.#options = options;
  }

  /** @throws KeyturnError `ledger_unavailable` when the database does not answer, or the wait took too long. */
  async run<T>(names: readonly string[], mode: FenceMode, work: (fence: Fence) => Promise<T>): Promise<Fenced<T>> {
    const session = await this.#connect();
    this.#open.add(session);
    try {
      // In one order for all, so that no two replicas wait for each other.
      const fence = await this.#take(session, names.toSorted(), mode);
      if (fence === null) return { ran: false };
      return { ran: true, value: await work(fence) };
    } finally {
      this.#open.delete(session);
      await session.end();
    }
  }

  /** Whoever is inside goes on; others may come in. */
  close(): void {
    for (const session of this.#open) session.destroy();
  }

  async #connect(): Promise<Session> {
    try {
      return await this.#options.connect();
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #take(session: Session, names: readonly string[], mode: FenceMode): Promise<Fence | null> {
    try {
      const checks: Check[] = [];
      for (const name of names) {
        const values = [lockKey(this.#options.schema, `fence ${name}`)];
        if (mode === 'wait') await session.run({ sql: 'SELECT pg_advisory_lock($1::bigint)', values });
        else {
          const { rows } = await session.run({ sql: 'SELECT pg_try_advisory_lock($1::bigint) AS taken', values });
          if (rows[0]?.['taken'] !== true) return null;
        }
        checks.push({ rule: 'fenced-off', table: 'fences', some: { name, number: await raise(session, name) } });
      }
      return { checks };
    } catch (error) {
      throw unavailable(error);
    }
  }
}

async function raise(session: Session, name: string): Promise<number> {
  await session.run({ sql: 'BEGIN' });
  await session.run({ sql: 'SELECT 1 FROM head WHERE id = 1 FOR UPDATE' });
  const { rows } = await session.run({
    sql: `INSERT INTO fences (name, number) VALUES ($1, 1)
      ON CONFLICT (name) DO UPDATE SET number = fences.number + 1 RETURNING number`,
    values: [name],
  });
  await session.run({ sql: 'COMMIT' });
  return Number(rows[0]?.['number']);
}

function unavailable(error: unknown): KeyturnError {
  if (isKeyturnError(error)) return error;
  return new KeyturnError('ledger_unavailable', `The ledger's database gave no lock: ${describe(error)}.`, {
    fix: 'Try again; if it goes on, look after the database and after the replica that holds the lock.',
    facts: { state: 'ready' },
  });
}
