import type { SecretBytes } from '../../core/secret-bytes.ts';
import { membersOf, textOf } from './json-octets.ts';

/** What stands at a path: a text; an object, whose own fields have paths of their own; anything else; or two things. */
export type Field = SecretBytes | 'fields' | 'other' | 'ambiguous';

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Levels below the first that are gone into: no secret that people keep has more. */
const MAX_DEPTH = 8;

/**
 * Every field of a JSON object by its path, the names on the way joined by dots: `tls.key` in `{"tls": {"key": …}}`. A text
 * that is a JSON object itself is gone into as well. A name of the first level counts as it stands (`tls.key` in
 * `{"tls.key": …}`), before any path that is spelled alike. The texts are the caller's to dispose of.
 * @returns null for what is no JSON object.
 */
export function fieldsOf(octets: Buffer, range: Range): Map<string, Field> | null {
  const members = membersOf(octets, range.from, range.to);
  if (members === null) return null;
  const fields = new Map<string, Field>();
  collect(fields, { octets, range, above: '', depth: 0, names: new Set(members.keys()) });
  return fields;
}

interface Level {
  readonly octets: Buffer;
  readonly range: Range;
  /** Path to here, with a dot behind it. */
  readonly above: string;
  readonly depth: number;
  /** Of the first level. */
  readonly names: ReadonlySet<string>;
}

function collect(fields: Map<string, Field>, { octets, range, above, depth, names }: Level): void {
  for (const [name, member] of membersOf(octets, range.from, range.to) ?? []) {
    const path = `${above}${name}`;
    const text = textOf(octets, member);
    put(fields, path, text ?? (member.kind === 'object' ? 'fields' : 'other'), depth > 0 && names.has(path));
    if (depth === MAX_DEPTH) continue;
    const below = { above: `${path}.`, depth: depth + 1, names };
    if (text === null) {
      if (member.kind === 'object') collect(fields, { octets, range: member, ...below });
    } else if (!text.disposed) {
      collect(fields, { octets: text.bytes, range: { from: 0, to: text.length }, ...below });
    }
  }
}

function put(fields: Map<string, Field>, path: string, field: Field, spoken: boolean): void {
  const standing = fields.get(path);
  if (!spoken && standing === undefined) {
    fields.set(path, field);
    return;
  }
  dispose(field);
  if (spoken) return;
  dispose(standing);
  fields.set(path, 'ambiguous');
}

export function dispose(field: Field | undefined): void {
  if (typeof field === 'object') field[Symbol.dispose]();
}

/** Paths that may be asked for, for people: an object is named by what is in it, if anything is. */
export function pathsOf(fields: ReadonlyMap<string, Field>): string[] {
  const above = new Set(
    [...fields.keys()].flatMap((path) => [...path.matchAll(/\./g)].map(({ index }) => path.slice(0, index))),
  );
  return [...fields].flatMap(([path, field]) => (field === 'fields' && above.has(path) ? [] : path)).sort();
}
