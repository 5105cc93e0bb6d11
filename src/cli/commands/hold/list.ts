import { everyPage } from '../../api/every-page.ts';
import type { Context } from '../../context.ts';
import { table } from '../../terminal/terminal.ts';

interface Hold {
  readonly id: string;
  readonly target: string;
  readonly subject: string;
  readonly reason: string;
  readonly placedBy: string;
  readonly placedAt: string;
  readonly thawAskedBy: string | null;
}

export default async function holdList({ terminal, api }: Context): Promise<void> {
  const items = await everyPage<Hold>(await api(), '/v1/holds', 1_000);
  const rows = items.map((hold) => [
    hold.id,
    hold.target,
    hold.subject,
    hold.placedBy,
    hold.placedAt,
    hold.thawAskedBy ?? '-',
    hold.reason,
  ]);
  terminal.result(
    { items },
    table(['hold', 'target', 'subject', 'placed by', 'at', 'thaw asked by', 'reason'], rows, 'Nothing is frozen.'),
  );
}
