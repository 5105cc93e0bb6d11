import { everyPage } from '../../api/every-page.ts';
import type { Context } from '../../context.ts';
import { table } from '../../terminal/terminal.ts';

interface Token {
  readonly id: string;
  readonly principal: string;
  readonly comment: string;
  readonly createdBy: string;
  readonly expiresAt: string;
}

export default async function tokenList({ terminal, api }: Context): Promise<void> {
  const items = await everyPage<Token>(await api(), '/v1/tokens', 1_000);
  const rows = items.map((token) => [token.id, token.principal, token.expiresAt, token.createdBy, token.comment]);
  terminal.result({ items }, table(['token', 'principal', 'expires', 'made by', 'comment'], rows, 'No tokens.'));
}
