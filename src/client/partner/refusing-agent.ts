import type { ClientRequest } from 'node:http';
import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { KeyturnError } from '../../core/errors.ts';

/** Makes no connection: every request given to it fails with `reason`, as its `error` event, in the next tick. */
export class RefusingAgent extends Agent {
  declare addRequest: (request: ClientRequest, options: object) => void;
  readonly #reason: KeyturnError;

  constructor(reason: KeyturnError) {
    super({ maxCachedSessions: 0 });
    this.#reason = reason;
  }

  override getName(): string {
    return '';
  }

  override createConnection(_options: object, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    // A stream is what the signature wants beside an error; nobody looks at it.
    if (callback !== undefined) process.nextTick(callback, this.#reason, undefined);
  }
}
