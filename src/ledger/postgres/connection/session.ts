import { Client, type ClientConfig, type QueryResult } from 'pg';
import { KeyturnError } from '../../../core/errors.ts';
import type { Statement } from '../../sql/statement.ts';

export type Row = Readonly<Record<string, unknown>>;
export type Answer = Pick<QueryResult<Row>, 'rows' | 'rowCount' | 'command'>;

/** A statement; its values may be lists too, for the log's own rows. */
export interface Query {
  readonly sql: string;
  readonly values?: readonly unknown[];
}

const END_MS = 1000;
/** PostgreSQL, appendix A; the word for it is in the language of the server. */
const WARNING_CLASS = '01';
const KEPT_STATEMENTS = 256;

/** One connection that is ours alone. After the first fault of the connection it is over. */
export class Session {
  readonly #client: Client;
  readonly #names = new Map<string, string>();
  #open = true;
  #warnings = 0;
  #onLost: (() => void) | undefined;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connects. The database's or the system's own error when that fails. */
  static async open(config: ClientConfig): Promise<Session> {
    // One round trip for statements that are sent together.
    const client = new Client({ ...config, pipeline: true });
    const session = new Session(client);
    client.on('error', () => session.#lost());
    client.on('end', () => session.#lost());
    client.on('notice', ({ code }) => {
      if (code?.startsWith(WARNING_CLASS) === true) session.#warnings += 1;
    });
    try {
      await client.connect();
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** How many the server has sent with its answers. */
  get warnings(): number {
    return this.#warnings;
  }

  /** Called once, when the connection is lost and `destroy` was not what ended it. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  onNotification(listener: (payload: string) => void): void {
    this.#client.on('notification', ({ payload }) => listener(payload ?? ''));
  }

  async run({ sql, values }: Query | Statement): Promise<Answer> {
    if (values === undefined || values.length === 0) return this.#client.query<Row>(sql);
    return this.#client.query<Row>({ ...this.#named(sql), text: sql, values: [...values] });
  }

  /**
   * Sends all at once and waits for all. Each is answered by itself: in a transaction those after one that failed
   * fail as well.
   */
  together(queries: readonly (Query | Statement)[]): Promise<PromiseSettledResult<Answer>[]> {
    return Promise.allSettled(queries.map((query) => this.run(query)));
  }

  /** At once, whatever is under way: what waits is rejected. */
  destroy(): void {
    this.#open = false;
    this.#onLost = undefined;
    destroySocket(this.#client);
  }

  /** In good order; one that does not answer is given up after a second. */
  async end(): Promise<void> {
    this.#onLost = undefined;
    this.#open = false;
    const timer = setTimeout(() => destroySocket(this.#client), END_MS);
    await this.#client.end().catch(() => undefined);
    clearTimeout(timer);
  }

  /** Shapes repeat: a statement with a name is parsed and planned once a connection. */
  #named(sql: string): { name?: string } {
    const known = this.#names.get(sql);
    if (known !== undefined) return { name: known };
    if (this.#names.size >= KEPT_STATEMENTS) return {};
    const name = `keyturn_${this.#names.size}`;
    this.#names.set(sql, name);
    return { name };
  }

  #lost(): void {
    this.#open = false;
    const listener = this.#onLost;
    this.#onLost = undefined;
    listener?.();
  }
}

/** The driver has no call for it; without it a connection that hangs can't be given up. */
function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

/** The answer of one of several statements. */
export function answered(result: PromiseSettledResult<Answer> | undefined): Answer {
  if (result?.status === 'fulfilled') return result.value;
  throw result?.reason ?? new KeyturnError('internal', 'The database answered fewer statements than it was sent.');
}

/** Ends with the operation's outcome, or with the session destroyed when it takes longer than this. */
export async function within<T>(session: Session, limitMs: number, operation: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => session.destroy(), limitMs);
  try {
    return await operation();
  } finally {
    clearTimeout(timer);
  }
}
