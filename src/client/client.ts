import { inspect } from 'node:util';
import { KeyturnError } from '../core/errors.ts';
import { Credential, type CredentialOptions, type CredentialParts } from './credential.ts';
import { assertCredentialOptions } from './options.ts';
import type { LeaseWatch } from './server/watch.ts';

const NAME = /^[a-z0-9][a-z0-9._/-]{0,199}$/;

export interface ClientParts extends Omit<CredentialParts, 'closed'> {
  /** Null when changes are heard of at renewals alone. */
  readonly watch: LeaseWatch | null;
}

/** A connection to one Keyturn. Get one from `connect`. */
export class KeyturnClient implements AsyncDisposable {
  readonly #parts: ClientParts;
  readonly #open = new Set<Credential>();
  #closing: Promise<void> | null = null;

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /**
   * Leases a credential now, and keeps it leased until it is closed. Every call gives a lease of its own: call it
   * once a credential and process.
   * @throws KeyturnError why there is no lease: `permission_denied`, `held`, `unauthenticated`, `no_current_version`,
   * `server_unreachable`, `server_untrusted`, `receipt_invalid`, `log_forked`, `sealed_answer_invalid`,
   * `connection_file_invalid` (there is no token); `invalid_input` for a name or an option that can't be.
   */
  async credential(name: string, options: CredentialOptions = {}): Promise<Credential> {
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw new KeyturnError('invalid_input', 'That is not the name of a credential.', {
        fix: 'Give a name such as lean/sandbox.',
      });
    }
    assertCredentialOptions(options);
    if (this.#closing !== null) throw wasClosed();
    const { watch } = this.#parts;
    const closed = (credential: Credential): void => {
      this.#open.delete(credential);
      watch?.remove(credential);
    };
    const credential = await Credential.lease(name, options, { ...this.#parts, closed }).catch((error: unknown) => {
      // What close() cut is no outage.
      throw this.#closing === null ? error : wasClosed();
    });
    this.#open.add(credential);
    watch?.add(credential);
    if (this.#closing !== null) await credential.close();
    return credential;
  }

  /** Closes every credential and gives the leases back. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](): string {
    return `KeyturnClient { ${this.#open.size} credentials }`;
  }

  async #close(): Promise<void> {
    this.#parts.watch?.close();
    await Promise.all([...this.#open].map((credential) => credential.close()));
    this.#parts.desk.servers.close();
  }
}

function wasClosed(): KeyturnError {
  return new KeyturnError('client_closed', 'The client was closed.', {
    fix: 'Make a new one with connect, or close it when nothing is asked of it any more.',
  });
}
