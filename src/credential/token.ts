import { principalOf } from '../access/principal.ts';
import { newToken } from '../access/token.ts';
import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { pageOf } from '../ledger/pages.ts';
import type { TokenRow } from '../ledger/tables.ts';
import { authorise, denial } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { refused } from './refusal.ts';
import type { TokenBook } from './token-book.ts';

/** Longest life of an API token, seconds (one year). */
export const LONGEST_TOKEN_SECONDS = 366 * 86_400;

export interface TokenRequest {
  /** `service:payments` or `person:alice`. */
  readonly principal: string;
  readonly ttlSeconds: number;
  readonly comment: string;
}

/** Makes an API token. Its text is shown this once; the ledger keeps a hash. The caller disposes of `token`. */
export async function createToken(
  desk: Desk,
  book: TokenBook,
  caller: Caller,
  request: TokenRequest,
): Promise<{ token: SecretBytes; row: TokenRow; entry: number }> {
  const authority = await authorise(desk, caller, 'token:create', null);
  const { token, row } = tokenRow(request, caller.principal.id, desk.clock.now());
  try {
    const outcome = await desk.ledger.commit({
      checks: authority.checks,
      writes: [{ insert: 'tokens', row }],
      entry: tokenEntry('token.created', caller.principal.id, row, caller.request),
      refusal: denial(caller, 'token:create', null, 'at-commit'),
    });
    if (!outcome.committed) throw refused(outcome.rule);
    book.put(row);
    return { token, row, entry: outcome.index };
  } catch (error) {
    token.dispose();
    throw error;
  }
}

/** A row and the token it stands for. @throws KeyturnError `invalid_input`. */
export function tokenRow(request: TokenRequest, createdBy: string, now: number): { token: SecretBytes; row: TokenRow } {
  const principal = principalOf(request.principal);
  if (!(request.ttlSeconds >= 60 && request.ttlSeconds <= LONGEST_TOKEN_SECONDS)) {
    throw new KeyturnError('invalid_input', 'A token lives between one minute and 366 days.', {
      fix: 'Give a life such as 30d.',
    });
  }
  const { id, token, hash } = newToken(now);
  const row: TokenRow = {
    id,
    principal: principal.id,
    hash,
    comment: request.comment,
    created_by: createdBy,
    created_at: now,
    expires_at: now + request.ttlSeconds * 1000,
    revoked_at: null,
  };
  return { token, row };
}

export function tokenEntry(kind: string, actor: string, row: TokenRow, request?: string) {
  return {
    kind,
    actor,
    ...(request === undefined ? {} : { request }),
    data: { token: row.id, principal: row.principal, comment: row.comment, expiresAt: row.expires_at },
  };
}

/** @throws KeyturnError `not_found`, `conflict` if it is revoked already. */
export async function revokeToken(desk: Desk, book: TokenBook, caller: Caller, id: string): Promise<{ entry: number }> {
  const authority = await authorise(desk, caller, 'token:revoke', null);
  const [row] = await desk.ledger.find('tokens', { id });
  if (row === undefined) {
    throw new KeyturnError('not_found', 'There is no such token.', { fix: 'See those there are: keyturn token list' });
  }
  if (row.revoked_at !== null) {
    throw new KeyturnError('conflict', 'This token has been revoked already.', { fix: 'Nothing is left to do.' });
  }
  const now = desk.clock.now();
  const outcome = await desk.ledger.commit({
    checks: [...authority.checks, { rule: 'token-live', table: 'tokens', some: { id, revoked_at: null } }],
    writes: [{ update: 'tokens', where: { id }, set: { revoked_at: now }, rows: 1 }],
    entry: tokenEntry('token.revoked', caller.principal.id, row, caller.request),
    refusal: denial(caller, 'token:revoke', null, 'at-commit', { about: id }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  book.put({ ...row, revoked_at: now });
  return { entry: outcome.index };
}

export interface TokenPage {
  readonly items: readonly Omit<TokenRow, 'hash'>[];
  /** Id after which the next page begins; null when this is the last one. */
  readonly next: string | null;
}

/** Tokens that have not been revoked, without their hash, in order of their ids: at most `limit` of those after `after`. */
export async function listTokens(
  desk: Desk,
  caller: Caller,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<TokenPage> {
  await authorise(desk, caller, 'token:list', null);
  const page = { by: 'id', after, limit, keep: () => true } as const;
  const { items, next } = await pageOf(desk.ledger, 'tokens', { revoked_at: null }, page);
  return { items: items.map(({ hash: _hash, ...row }) => row), next };
}
