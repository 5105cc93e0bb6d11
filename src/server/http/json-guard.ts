import { KeyturnError } from '../../core/errors.ts';

/** Deepest nesting, most values in all, and names that would reach an object's prototype. */
const MAX_DEPTH = 16;
const MAX_VALUES = 2_000;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

const STRICT = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses a body that an attacker controls. Before JSON.parse sees it the text is scanned once: valid UTF-8, bounded
 * depth and number of values, no member twice, no member that names a prototype.
 * @throws KeyturnError `invalid_input`, without a quote of the body.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  let text: string;
  try {
    text = STRICT.decode(bytes);
  } catch {
    throw bad('is not valid UTF-8');
  }
  guard(text);
  try {
    return JSON.parse(text);
  } catch {
    throw bad('is not valid JSON');
  }
}

/** One pass over the text; strings are skipped as a whole, so that brackets inside them do not count. */
function guard(text: string): void {
  const names: (Set<string> | null)[] = [];
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{' || char === '[') {
      names.push(char === '{' ? new Set() : null);
      values += 1;
      if (names.length > MAX_DEPTH) throw bad(`is nested deeper than ${MAX_DEPTH}`);
    } else if (char === '}' || char === ']') {
      names.pop();
    } else if (char === ',') {
      values += 1;
    } else if (char === '"') {
      const end = endOfString(text, at);
      refuseName(names.at(-1) ?? null, text, at, end);
      at = end;
    }
    if (values > MAX_VALUES) throw bad(`holds more than ${MAX_VALUES} values`);
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  throw bad('is not valid JSON');
}

function refuseName(names: Set<string> | null, text: string, start: number, end: number): void {
  if (names === null || !isFollowedByColon(text, end + 1)) return;
  const name = nameOf(text.slice(start + 1, end));
  if (FORBIDDEN.has(name)) throw bad('has a member with a forbidden name');
  if (names.has(name)) throw bad('has a member twice');
  names.add(name);
}

/** What a member's name means: without a backslash it is what is written. */
function nameOf(written: string): string {
  if (!written.includes('\\')) return written;
  try {
    return JSON.parse(`"${written}"`) as string;
  } catch {
    throw bad('is not valid JSON');
  }
}

/** However much white space (RFC 8259 section 2) an attacker puts between a name and its colon. */
function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (' \t\n\r'.includes(text[at] ?? '-')) at += 1;
  return text[at] === ':';
}

function bad(what: string): KeyturnError {
  return new KeyturnError('invalid_input', `The request body ${what}.`, { fix: 'Send one plain JSON object.' });
}
