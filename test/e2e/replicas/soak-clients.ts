import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionFile, type Credential, connect, type KeyturnClient } from '../../../src/client/index.ts';

/** Between two calls of one client, milliseconds. */
const PAUSE_MS = 50;

export interface ClientsOptions {
  readonly connection: ConnectionFile;
  readonly token: string;
  readonly count: number;
  /** The partner's, where a call is answered with 200. */
  readonly url: string;
}

/** Services that know all servers and call their partner without a pause. */
export class SoakClients {
  calls = 0;
  renewals = 0;
  /** Alarms by code: the client could not renew in time, and told so; the lease went on. */
  readonly alarms: Record<string, number> = {};
  /** Calls that failed, and leases that ended: none may. */
  readonly faults: string[] = [];
  readonly #url: string;
  readonly #clients: KeyturnClient[] = [];
  readonly #calling: Promise<void>[] = [];
  #over = false;

  private constructor(url: string) {
    this.#url = url;
  }

  static async start({ connection, token, count, url }: ClientsOptions): Promise<SoakClients> {
    const all = new SoakClients(url);
    for (let at = 0; at < count; at += 1) {
      // Each begins with another server.
      const { servers } = connection;
      const turned = [...servers.slice(at % servers.length), ...servers.slice(0, at % servers.length)];
      const client = await connect({
        connection: { ...connection, servers: turned },
        token: () => Buffer.from(token),
        on: {
          renewed: () => {
            all.renewals += 1;
          },
          alarm: ({ error }) => {
            all.alarms[error.code] = (all.alarms[error.code] ?? 0) + 1;
          },
          ended: ({ reason }) => all.#fault(`a lease ended: ${reason.code}`),
        },
      });
      all.#clients.push(client);
      const credential = await client.credential('lean/sandbox');
      all.#calling.push(all.#call(credential));
    }
    return all;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#calling);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #call(credential: Credential): Promise<void> {
    while (!this.#over) {
      try {
        const { status } = await credential.fetch(this.#url);
        if (status !== 200) this.#fault(`a call was answered with ${status}`);
      } catch (error) {
        this.#fault(`a call failed: ${String(error)}`);
      }
      this.calls += 1;
      await sleep(PAUSE_MS);
    }
  }

  #fault(what: string): void {
    // Closing gives the leases back.
    if (!this.#over) this.faults.push(what);
  }
}
