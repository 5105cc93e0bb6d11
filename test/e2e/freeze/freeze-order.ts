import { parseExportLine } from '../../../src/audit/export.ts';

interface Entry {
  readonly kind: string;
  readonly actor: string;
  readonly credential?: string;
  readonly version?: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Entries of an exported log, in their order. */
export function entriesOf(exported: string): Entry[] {
  return exported.split('\n').flatMap((line) => {
    const parsed = parseExportLine(line);
    return parsed.kind === 'entry' ? [JSON.parse(parsed.json) as Entry] : [];
  });
}

/** Entries that lent something while a hold stood on it, told from the log alone: none may be there. */
export function lentWhileHeld(entries: readonly Entry[]): string[] {
  const holds = new Map<unknown, Entry>();
  const wrong: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.kind === 'hold.placed') holds.set(entry.data['hold'], entry);
    if (entry.kind === 'hold.lifted') holds.delete(entry.data['hold']);
    if (entry.kind !== 'lease.granted' && entry.kind !== 'lease.renewed') continue;
    const held = [...holds.values()].find(({ data }) => subjectOf(entry, String(data['target'])) === data['subject']);
    if (held !== undefined) wrong.push(`entry ${index}: ${entry.kind} of ${String(held.data['subject'])}`);
  }
  return wrong;
}

/** How a hold on `target` names what this lease is about. */
function subjectOf(lease: Entry, target: string): unknown {
  const subjects: Readonly<Record<string, unknown>> = {
    version: `${lease.credential}@${lease.version}`,
    credential: lease.credential,
    principal: lease.actor,
    host: lease.data['host'],
    // The one store of an instance on embedded defaults.
    store: 'file',
  };
  return subjects[target];
}
