import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import { EXIT } from '../../terminal/exit.ts';
import { type Terminal, table } from '../../terminal/terminal.ts';

interface Copy {
  readonly id: string;
  readonly record: string;
  readonly store: string;
  readonly movedTo: string;
  readonly movedAt: string;
}

/** Destroys the old copies that moves have left over, of one store or of all. Exit code 10 when some stay. */
export async function destroyLeftovers(
  terminal: Terminal,
  open: Api,
  { store, dryRun }: { readonly store: string | null; readonly dryRun: boolean },
): Promise<number> {
  const path = store === null ? '/v1/copies' : `/v1/copies?store=${encodeURIComponent(store)}`;
  const { items } = (await open.call({ method: 'GET', path })) as { items: Copy[] };
  if (dryRun) {
    const rows = items.map((copy) => [copy.record, copy.store, copy.movedTo, copy.movedAt]);
    terminal.result(
      { dryRun: true, items },
      table(['would be destroyed', 'in', 'moved to', 'at'], rows, 'Nothing is left over.'),
    );
    return 0;
  }
  const failed: { record: string; store: string; code: string; message: string }[] = [];
  const lingering = new Map<string, string>();
  for (const { id, ...copy } of items) {
    try {
      const { lingers } = await destroyCopy(open, id);
      if (lingers !== null) lingering.set(copy.store, lingers);
      terminal.note(`destroyed ${copy.record} in ${copy.store}`);
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      failed.push({ record: copy.record, store: copy.store, code: error.code, message: error.message });
    }
  }
  terminal.result({ destroyed: items.length - failed.length, failed }, [
    `Destroyed ${items.length - failed.length} of ${items.length} old copies.`,
    ...failed.map(({ record, store: where, code, message }) => `failed   ${record} in ${where}: ${message} [${code}]`),
  ]);
  for (const [where, detail] of lingering) terminal.warn(`${where}: ${detail}.`);
  return failed.length > 0 ? EXIT.attention : 0;
}

/** `lingers`: who can bring it back for how long; null for nobody. */
export async function destroyCopy(open: Api, id: string): Promise<{ readonly lingers: string | null }> {
  const path = `/v1/copies/${encodeURIComponent(id)}`;
  const { lingers = null } = (await open.call({ method: 'DELETE', path })) as { readonly lingers?: string | null };
  return { lingers };
}
