import { timestamp } from '../../core/clock.ts';
import type { Desk } from '../../credential/desk.ts';
import { createToken, listTokens, revokeToken } from '../../credential/token.ts';
import type { TokenBook } from '../../credential/token-book.ts';
import { ok, type Route, route } from '../http/route.ts';
import { idParam, PAGED, pageAsked, pageQuery, tokenRequest } from '../schemas.ts';

/** What a client needs beside its token: where the servers are and what to trust. Written by `token create`. */
export interface ConnectionFacts {
  readonly servers: readonly string[];
  /** PEM of the CA of our listeners. */
  readonly ca: string;
  readonly log: { readonly origin: string; readonly keys: readonly string[] };
}

/** API tokens. The text of a new one is the only secret that the API answers in clear: shown once, never stored. */
export function tokenRoutes(desk: Desk, book: TokenBook, connection: () => ConnectionFacts): Route[] {
  return [
    route({
      id: 'createToken',
      method: 'post',
      path: '/v1/tokens',
      summary: 'Make an API token; its text is in this answer alone',
      json: tokenRequest,
      success: { status: 201, description: 'The token and the connection facts for its client' },
      problems: ['permission_denied', 'invalid_input', 'ledger_unavailable'],
      handle: async ({ body }, caller) => {
        const { token, row } = await createToken(desk, book, caller, body);
        using _ = token;
        return ok(
          {
            id: row.id,
            principal: row.principal,
            expiresAt: timestamp(row.expires_at),
            token: token.bytes.toString('latin1'),
            connection: { keyturn: 1, ...connection() },
          },
          201,
        );
      },
    }),
    route({
      id: 'listTokens',
      method: 'get',
      path: '/v1/tokens',
      summary: 'Tokens that have not been revoked, without their text or hash',
      query: pageQuery,
      success: { status: 200, description: PAGED },
      problems: ['permission_denied', 'invalid_input', 'ledger_unavailable'],
      handle: async ({ query }, caller) => {
        const { items, next } = await listTokens(desk, caller, pageAsked(query));
        return ok({
          next,
          items: items.map((row) => ({
            id: row.id,
            principal: row.principal,
            comment: row.comment,
            createdBy: row.created_by,
            createdAt: timestamp(row.created_at),
            expiresAt: timestamp(row.expires_at),
          })),
        });
      },
    }),
    route({
      id: 'revokeToken',
      method: 'delete',
      path: '/v1/tokens/{id}',
      summary: 'Revoke a token; it opens nothing from the next commit on',
      params: idParam,
      success: { status: 204, description: 'Revoked' },
      problems: ['permission_denied', 'not_found', 'conflict'],
      handle: async ({ params }, caller) => {
        await revokeToken(desk, book, caller, params.id);
        return { status: 204 };
      },
    }),
  ];
}
