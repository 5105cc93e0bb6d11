import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERBS, type Verb } from './cell.ts';
import { NETWORK_FAULTS, type Row } from './table.ts';

const CACHE = fileURLToPath(new URL('../../../.cache', import.meta.url));
const PARTS = join(CACHE, 'fault-table');
export const PAGE = join(CACHE, 'fault-table.md');

/** The rows of one adapter as they were run and asserted. */
export interface Part {
  readonly kind: string;
  readonly network: boolean;
  readonly verbs: readonly Verb[];
  readonly rows: Readonly<Record<string, Row>>;
  readonly impossible: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly at: string;
}

/** Each adapter runs in a process of its own: whoever comes last finds all parts, and writes the whole page. */
export function writePage(part: Part): void {
  mkdirSync(PARTS, { recursive: true });
  replace(join(PARTS, `${part.kind}.json`), JSON.stringify(part));
  const files = readdirSync(PARTS)
    .filter((name) => name.endsWith('.json'))
    .sort();
  replace(PAGE, page(files.map((name) => JSON.parse(readFileSync(join(PARTS, name), 'utf8')) as Part)));
}

export function cellsOf({ rows }: Pick<Part, 'rows'>): number {
  return Object.values(rows).reduce((sum, row) => sum + Object.keys(row).length, 0);
}

/** `vault: 45 faults, 225 cells as expected, 12.3 s`. */
export function summary(part: Part): string {
  return `${part.kind}: ${Object.keys(part.rows).length} faults, ${cellsOf(part)} cells as expected, ${part.seconds.toFixed(1)} s`;
}

export function page(parts: readonly Part[]): string {
  return `# What each fault of a key store comes to

Adapters × faults × verbs. Each cell was run against the real server or disk and asserted; the tests wrote this page.

- Before the arrow: what the verb says. \`certain\`: the change certainly did not happen. \`ambiguous\`: it may have
  happened, wholly; nobody deletes, overwrites or revokes on that answer.
- Behind the arrow: what the store holds afterwards. \`1\` stood before, \`2\` is what \`write\` writes, \`!\` other octets.

${parts.map((part) => `- ${summary(part)} (${part.at})`).join('\n')}

## Writing, on the bad days of every store behind a network

${network(parts.filter((part) => part.network))}
${parts.map(section).join('\n')}`;
}

function network(parts: readonly Part[]): string {
  const rows = NETWORK_FAULTS.map((name) => [
    name,
    ...parts.map(({ rows, impossible }) => rows[name]?.write ?? `can't be: ${impossible[name] ?? 'not run'}`),
  ]);
  return table(['fault', ...parts.map(({ kind }) => kind)], rows);
}

function section({ kind, verbs, rows }: Part): string {
  const shown = VERBS.filter((verb) => verbs.includes(verb));
  const lines = Object.entries(rows).map(([name, row]) => [name, ...shown.map((verb) => row[verb] ?? '')]);
  return `\n## ${kind}\n\n${table(['fault', ...shown], lines)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}
