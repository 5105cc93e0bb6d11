import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { entryLine } from '../../terminal/entry-line.ts';
import type { Entry } from './query.ts';

/** How often a followed log is asked for more, milliseconds. */
const EVERY_MS = 1_000;

/** With --json: one entry a line (JSON Lines), also while following. */
export default async function auditTail(
  { terminal, api }: Context,
  options: { readonly lines?: string; readonly follow?: boolean },
): Promise<void> {
  const lines = Number(options.lines ?? 20);
  if (!Number.isInteger(lines) || lines < 1 || lines > 1_000) {
    throw new KeyturnError('invalid_input', '--lines takes a whole number from 1 to 1000.');
  }
  const open = await api();
  const show = (entry: Entry) => terminal.line(terminal.json ? JSON.stringify(entry) : entryLine(entry));
  const newest = (await entries(open, `newest=true&limit=${lines}`)).reverse();
  newest.forEach(show);
  let next = (newest.at(-1)?.index ?? -1) + 1;
  while (options.follow === true) {
    await sleep(EVERY_MS);
    for (const entry of await entries(open, `from=${next}&limit=1000`)) {
      show(entry);
      next = entry.index + 1;
    }
  }
}

async function entries(api: Api, query: string): Promise<Entry[]> {
  const { items } = (await api.call({ method: 'GET', path: `/v1/audit/entries?${query}` })) as { items: Entry[] };
  return items;
}
