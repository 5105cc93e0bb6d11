import { KeyturnError } from './errors.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * JSON in the one form of RFC 8785 (JSON Canonicalization Scheme): no white space, members sorted by UTF-16
 * code units, numbers and strings as ECMAScript writes them. Two equal values give equal bytes.
 * @throws KeyturnError `invalid_input` for NaN, infinities, lone surrogates, undefined members and foreign types.
 */
export function canonicalJson(value: JsonValue): string {
  // RFC 8785 section 3.2.2: primitives are serialised as ECMAScript's JSON.stringify does.
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'string') return canonicalString(value);
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object') return canonicalObject(value as JsonObject);
  throw new KeyturnError('invalid_input', `A ${typeof value} has no JSON form.`);
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new KeyturnError('invalid_input', 'A number that is not finite has no JSON form.');
  return JSON.stringify(value);
}

function canonicalString(value: string): string {
  if (!value.isWellFormed()) throw new KeyturnError('invalid_input', 'A string holds half of a surrogate pair.');
  return JSON.stringify(value);
}

function canonicalObject(value: JsonObject): string {
  // RFC 8785 section 3.2.3: sort by UTF-16 code units, which is what sort() compares by itself.
  let members = '';
  for (const key of Object.keys(value).sort()) {
    members += `${members === '' ? '' : ','}${canonicalString(key)}:${canonicalJson(value[key] as JsonValue)}`;
  }
  return `{${members}}`;
}
