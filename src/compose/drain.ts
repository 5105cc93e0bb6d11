import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';

/** How long requests under way may take at shutdown, milliseconds. */
const GRACE_MS = 10_000;

/**
 * Closes a server without cutting anybody off: idle connections at once, others with the answer to the request that is
 * under way, so that no further request comes over them; what is left after the grace is cut.
 */
export class Drain {
  readonly #server: HttpServer | HttpsServer;
  readonly #underWay = new Set<ServerResponse>();
  #stopping = false;

  constructor(server: HttpServer | HttpsServer) {
    this.#server = server;
    server.prependListener('request', (_request, response: ServerResponse) => {
      this.#underWay.add(response);
      response.once('close', () => this.#underWay.delete(response));
      if (this.#stopping) response.shouldKeepAlive = false;
    });
  }

  /** Resolves when no connection is left. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const response of this.#underWay) response.shouldKeepAlive = false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), GRACE_MS);
      this.#server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }
}
