import type { Context } from '../../context.ts';

export default async function tokenRevoke({ terminal, api }: Context, _options: object, id: string): Promise<void> {
  await (await api()).call({ method: 'DELETE', path: `/v1/tokens/${encodeURIComponent(id)}` });
  terminal.result({ revoked: id }, [`Revoked ${id}.`]);
}
