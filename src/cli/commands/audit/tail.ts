import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { entryLine } from '../../terminal/entry-line.ts';
import type { Entry } from './query.ts';

/** How often a followed log is asked for more, milliseconds. */
const EVERY_MS = 1_000;

interface Options {
  readonly lines?: string;
  readonly follow?: boolean;
}

/** Following has no end, so with --json it prints one entry a line (JSON Lines) instead of one document. */
export default async function auditTail({ terminal, api }: Context, options: Options): Promise<void> {
  const open = await api();
  const newest = (await entries(open, `newest=true&limit=${countOf(options.lines ?? '20')}`)).reverse();
  if (options.follow !== true) {
    terminal.result({ items: newest }, newest.map(entryLine));
    return;
  }
  const show = (entry: Entry) => terminal.line(terminal.json ? JSON.stringify(entry) : entryLine(entry));
  newest.forEach(show);
  for (let next = (newest.at(-1)?.index ?? -1) + 1; ; ) {
    await sleep(EVERY_MS);
    for (const entry of await entries(open, `from=${next}&limit=1000`)) {
      show(entry);
      next = entry.index + 1;
    }
  }
}

function countOf(text: string): number {
  const lines = Number(text);
  if (Number.isInteger(lines) && lines >= 1 && lines <= 1_000) return lines;
  throw new KeyturnError('invalid_input', '--lines takes a whole number from 1 to 1000.', {
    fix: 'Leave it out for 20.',
  });
}

async function entries(api: Api, query: string): Promise<Entry[]> {
  const { items } = (await api.call({ method: 'GET', path: `/v1/audit/entries?${query}` })) as { items: Entry[] };
  return items;
}
