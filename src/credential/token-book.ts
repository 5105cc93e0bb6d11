import { hash } from 'node:crypto';
import type { Principal } from '../access/permission.ts';
import { principalOf } from '../access/principal.ts';
import { matchesHash, parseToken } from '../access/token.ts';
import { KeyturnError } from '../core/errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { rowPages } from '../ledger/pages.ts';
import type { TokenRow } from '../ledger/tables.ts';

/** A token's owner, as far as this process knows; the commit of whatever they do checks the row again. */
export interface Bearer {
  readonly principal: Principal;
  readonly token: { readonly id: string; readonly expiresAt: number };
}

/** Headers that are known again. */
const MOST_HEADERS = 4_096;

/**
 * The API tokens of this ledger, kept in memory so that a freeze can be authenticated while the ledger is down.
 * A stale book can't release anything: each commit checks that the token is not revoked.
 */
export class TokenBook {
  readonly #ledger: Ledger;
  readonly #rows = new Map<string, TokenRow>();
  /** Ids of the tokens of headers that were found right, by the SHA-256 of the header. */
  readonly #headers = new Map<string, string>();
  /** Revocations that this process has heard of. */
  #revocations = 0;

  private constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  static async load(ledger: Ledger): Promise<TokenBook> {
    const book = new TokenBook(ledger);
    for await (const rows of rowPages(ledger, 'tokens', { revoked_at: null }, 'id')) {
      for (const row of rows) book.put(row);
    }
    return book;
  }

  /** Whether a token that was let in before still stands. */
  stands(id: string): boolean {
    return this.#rows.has(id);
  }

  put(row: TokenRow): void {
    if (row.revoked_at === null) {
      this.#rows.set(row.id, row);
    } else {
      this.#rows.delete(row.id);
      this.#revocations += 1;
    }
  }

  /**
   * Who the header's bearer token belongs to.
   * @throws KeyturnError `unauthenticated`, in the same words for an unknown, wrong, revoked or expired token, and in the
   * same time to whoever does not have its secret.
   */
  async authenticate(authorization: string | undefined, now: number): Promise<Bearer> {
    const digest = hash('sha256', authorization ?? '', 'base64');
    const row = this.#rows.get(this.#headers.get(digest) ?? '') ?? (await this.#verify(authorization, digest));
    if (row === undefined || row.expires_at <= now || row.revoked_at !== null) throw unauthenticated();
    return { principal: principalOf(row.principal), token: { id: row.id, expiresAt: row.expires_at } };
  }

  /** The row of the token in a header; undefined for one that there is not. */
  async #verify(authorization: string | undefined, digest: string): Promise<TokenRow | undefined> {
    const parsed = parseToken(authorization);
    using secret = parsed?.secret;
    const row = parsed === null ? undefined : (this.#rows.get(parsed.id) ?? (await this.#look(parsed.id)));
    if (!matchesHash(secret ?? null, row?.hash ?? null) || row === undefined) return undefined;
    if (this.#headers.size >= MOST_HEADERS) this.#headers.clear();
    this.#headers.set(digest, row.id);
    return row;
  }

  /** Another server of this ledger may have made it. */
  async #look(id: string): Promise<TokenRow | undefined> {
    while (this.#ledger.status().state === 'ready') {
      const heard = this.#revocations;
      const [row] = await this.#ledger.find('tokens', { id, revoked_at: null });
      // A revocation that was heard of meanwhile may be this very token's, and later than the row that was read.
      if (heard !== this.#revocations) continue;
      if (row !== undefined) this.put(row);
      return row;
    }
    return undefined;
  }
}

function unauthenticated(): KeyturnError {
  return new KeyturnError('unauthenticated', 'No valid API token came with the request.', {
    fix: 'Send "authorization: Bearer TOKEN"; for a new one: keyturn token create.',
  });
}
