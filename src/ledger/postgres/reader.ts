import { setTimeout as pause } from 'node:timers/promises';
import { type ClientConfig, Pool, type PoolClient } from 'pg';
import type { Receipt } from '../../audit/receipt.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { EntryQuery, StoredEntry } from '../ledger.ts';
import { proveEntry, type SignedHead } from '../log/proof.ts';
import { noEntry, signedHead, storedEntry } from '../log/rows.ts';
import { checkpointsStatement, entriesStatement, NEWEST_CHECKPOINT } from '../sql/log.ts';
import { cell, dollarNumber, type Statement } from '../sql/statement.ts';
import type { Query, Row } from './connection/session.ts';
import { describe, postgresFault } from './database/fault.ts';
import type { Tree } from './database/tree.ts';

const TRIES = 3;
const PAUSE_MS = 50;

export interface ReaderOptions {
  readonly connections: number;
  /** Past this a read is rejected and its connection given up. */
  readonly limitMs: number;
  readonly tree: Tree;
}

/** Reads what is committed, over a few connections that can't write. */
export class Reader {
  readonly #pool: Pool;
  readonly #options: ReaderOptions;

  constructor(config: ClientConfig, options: ReaderOptions) {
    this.#options = options;
    this.#pool = new Pool({ ...config, max: options.connections, allowExitOnIdle: true });
    // A connection that was lost while nobody used it; the pool makes another one.
    this.#pool.on('error', () => undefined);
    // One that is told to go right behind an answer: it is between two users then, and an error that nobody listens to
    // would end the process. The pool lets go of it.
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async rows(query: Query | Statement): Promise<Row[]> {
    return (await this.#run(query)).rows;
  }

  async entries(query: EntryQuery): Promise<StoredEntry[]> {
    return (await this.rows(entriesStatement(query, dollarNumber, 'led'))).map(storedEntry);
  }

  async checkpoints(after: number, limit: number): Promise<SignedHead[]> {
    return (await this.rows(checkpointsStatement(after, limit, dollarNumber))).map(signedHead);
  }

  async head(): Promise<SignedHead> {
    const [newest] = await this.rows({ sql: NEWEST_CHECKPOINT });
    if (newest === undefined) throw new KeyturnError('ledger_corrupt', 'The ledger has no checkpoint.');
    return signedHead(newest);
  }

  /** @throws KeyturnError `not_found`, `log_forked`. */
  async receipt(index: number, seen: number): Promise<Receipt> {
    const sql = 'SELECT json FROM entries WHERE idx = $1';
    const [entry] = await this.rows({ sql, values: [cell(index)] });
    if (entry === undefined) throw noEntry(index);
    const head = await this.head();
    const proven = { index, json: String(entry['json']) };
    return this.#options.tree.prove(
      (query) => this.#run(query),
      (nodes) => proveEntry(nodes, head, proven, seen),
    );
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  /** A connection that broke is no answer: a read changes nothing, so it is asked again. */
  async #run(query: Query | Statement) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(query);
      } catch (error) {
        if (isKeyturnError(error)) throw error;
        if (tries === TRIES || postgresFault(error)?.kind !== 'broken') throw unreadable(describe(error));
        await pause(PAUSE_MS * tries);
      }
    }
  }

  async #once({ sql, values }: Query | Statement) {
    const client = await this.#pool.connect();
    const { limitMs } = this.#options;
    let failed = true;
    const timer = setTimeout(() => giveUp(client), limitMs);
    try {
      const answer = await client.query<Row>(sql, [...(values ?? [])]);
      failed = false;
      return answer;
    } finally {
      clearTimeout(timer);
      client.release(failed);
    }
  }
}

function giveUp(client: PoolClient): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

function unreadable(why: string): KeyturnError {
  return new KeyturnError('ledger_unavailable', `The ledger cannot be read: ${why}.`, {
    fix: 'Look after the database of the ledger; keyturn doctor on the server’s host says what it lacks.',
    facts: { state: 'ready' },
  });
}
