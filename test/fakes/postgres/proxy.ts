import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Where the next commit that passes is cut. */
export type CutPoint =
  /** COMMIT never reaches the database. */
  | 'before-commit'
  /** The database commits, its answer is lost. */
  | 'after-commit';

/** A simple query of the frontend (PostgreSQL, protocol: Query). */
const COMMIT = Buffer.from('COMMIT\0');

/** An answer that ends with it is whole: the session is idle (PostgreSQL, protocol: ReadyForQuery). */
const READY = Buffer.from('Z\0\0\0\u0005I');

/** What a session is told by a server that restarts (PostgreSQL, protocol: ErrorResponse). */
function dismissal(): Buffer {
  const fields = Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

interface Pair {
  readonly client: Socket;
  readonly database: Socket;
}

/** A TCP proxy before a database that loses what it is told to lose. */
export class PostgresProxy implements AsyncDisposable {
  readonly #server: Server;
  #target: number;
  readonly #pairs = new Set<Pair>();
  #cut: CutPoint | null = null;
  /** Commits that pass before it is cut. */
  #passing = 0;
  #onCut: (() => void) | null = null;
  #refusing = false;
  #onLost: (() => void) | null = null;
  #silent = false;
  #dismissing = false;
  #rewriting: readonly [from: Buffer, to: Buffer] | null = null;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(target: number): Promise<PostgresProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PostgresProxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the connection at the next commit, once, and may refuse all from then on; resolves when that has happened. */
  cut(point: CutPoint, then: 'accept' | 'refuse' = 'accept'): Promise<void> {
    this.#cut = point;
    return new Promise((resolve) => {
      this.#onCut = () => {
        if (then === 'refuse') this.refuse(true);
        resolve();
      };
    });
  }

  /** The same at the `nth` commit from now on, 1 for the next. */
  cutAtCommit(point: CutPoint, nth: number): Promise<void> {
    this.#passing = nth - 1;
    return this.cut(point);
  }

  /** From now on new connections lead to the database at this port: an address that follows the primary. */
  lead(target: number): void {
    this.#target = target;
  }

  /** From now on new connections are ended at once. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  /** Everything stands: nothing is forwarded, nothing is closed. */
  silence(silent: boolean): void {
    this.#silent = silent;
  }

  /** Ends each session as a restart does, right behind its next answer and in one packet with it. */
  dismiss(dismissing: boolean): void {
    this.#dismissing = dismissing;
  }

  /** The database's answers tell this in place of that; both have one length. */
  rewrite(from: string, to: string): void {
    this.#rewriting = [Buffer.from(from), Buffer.from(to)];
  }

  /** Called once, when a client next ends a connection. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  cutAll(): void {
    for (const pair of this.#pairs) end(pair);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    if (this.#refusing) return void client.destroy();
    const pair: Pair = { client, database: connect(this.#target, '127.0.0.1') };
    this.#pairs.add(pair);
    let losing = false;
    client.on('data', (data) => {
      if (this.#silent) return;
      const point = data.includes(COMMIT) && this.#isDue() ? this.#cut : null;
      if (point !== null) this.#cut = null;
      if (point === 'before-commit') return this.#wasCut(pair);
      losing ||= point === 'after-commit';
      pair.database.write(data);
    });
    pair.database.on('data', (data) => {
      if (this.#silent) return;
      this.#replaceIn(data);
      // The answer to COMMIT is there, so it is durable; nobody will hear of it.
      if (losing) this.#wasCut(pair);
      else if (this.#dismissing && data.subarray(-READY.length).equals(READY)) {
        client.end(Buffer.concat([data, dismissal()]));
      } else client.write(data);
    });
    const lost = () => {
      this.#onLost?.();
      this.#onLost = null;
    };
    client.on('end', () => {
      lost();
      // Silent, it does not answer a goodbye either.
      if (!this.#silent) client.end();
    });
    client.on('close', lost);
    for (const socket of [client, pair.database]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#pairs.delete(pair);
        end(pair);
      });
    }
  }

  #replaceIn(data: Buffer): void {
    if (this.#rewriting === null) return;
    const [from, to] = this.#rewriting;
    for (let at = data.indexOf(from); at !== -1; at = data.indexOf(from, at + 1)) data.set(to, at);
  }

  #isDue(): boolean {
    this.#passing -= 1;
    return this.#passing < 0;
  }

  #wasCut(pair: Pair): void {
    this.#onCut?.();
    end(pair);
    this.#onCut = null;
  }
}

function end({ client, database }: Pair): void {
  client.destroy();
  database.destroy();
}
