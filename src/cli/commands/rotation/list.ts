import type { Context } from '../../context.ts';
import { table } from '../../terminal/terminal.ts';
import type { Rotation } from './view.ts';

export default async function list({ terminal, api }: Context, options: { readonly all?: boolean }): Promise<void> {
  const path = options.all === true ? '/v1/rotations' : '/v1/rotations?open=true';
  const { items } = (await (await api()).call({ method: 'GET', path })) as { items: Rotation[] };
  const rows = items.map((one) => [
    one.credential,
    `${one.replaces ?? '-'} → ${one.version ?? '?'}`,
    one.state,
    one.step,
    one.since,
    one.waitsFor ?? '',
  ]);
  const head = ['credential', 'versions', 'state', 'step', 'since', 'waits for'];
  terminal.result({ items }, table(head, rows, 'No rotation is under way.'));
}
