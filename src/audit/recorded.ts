import { canonicalJson, type JsonObject, type JsonValue } from '../core/canonical-json.ts';
import { timestamp } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import type { AuditEntry, EntryDraft } from './entry.ts';
import { leafHash } from './merkle.ts';

/** UTF-8 octets of one entry, members and all. */
export const MAX_ENTRY_BYTES = 65_536;
/** Nesting of objects and arrays; the entry itself is 1, its data 2. */
export const MAX_ENTRY_DEPTH = 32;

const KIND = /^[a-z][a-z0-9-]{0,63}\.[a-z][a-z0-9-]{0,63}$/;
const NAME = /^[^\p{Cc}]{1,512}$/u;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;
const REQUIRED = ['actor', 'data', 'index', 'kind', 'time', 'v'];
const OPTIONAL = ['credential', 'request', 'version'];

export interface RecordedEntry {
  readonly entry: AuditEntry;
  /** Canonical JSON (RFC 8785); its UTF-8 octets are the leaf. */
  readonly json: string;
  readonly leafHash: Buffer;
}

/**
 * The draft in its envelope, ready to be appended at `index`. Times are milliseconds since the epoch; that they never
 * go back is the caller's care.
 * @throws KeyturnError `invalid_input` for a draft that the format does not allow, e.g. one over 64 KiB.
 */
export function recordEntry(draft: EntryDraft, index: number, epochMs: number): RecordedEntry {
  const entry: AuditEntry = {
    v: 1,
    index,
    time: timestamp(epochMs),
    kind: draft.kind,
    actor: draft.actor,
    ...(draft.credential === undefined ? {} : { credential: draft.credential }),
    ...(draft.version === undefined ? {} : { version: draft.version }),
    ...(draft.request === undefined ? {} : { request: draft.request }),
    data: draft.data,
  };
  const json = canonicalJson({ ...entry });
  const fault = boundsFault(json) ?? envelopeFault({ ...entry });
  if (fault !== null) throw new KeyturnError('invalid_input', `An audit entry cannot be recorded: ${fault}.`);
  return { entry, json, leafHash: leafHash(Buffer.from(json, 'utf8')) };
}

/**
 * Reads one entry (attacker-controlled text). Strict: canonical JSON alone, envelope version 1, no member that the
 * format does not name. So one entry has one text, and a reader never skips what it does not understand.
 * @throws KeyturnError `audit_invalid`; the message never quotes the text.
 */
export function parseEntry(json: string): AuditEntry {
  const fault = boundsFault(json);
  if (fault !== null) throw invalid(fault);
  const value = parseCanonical(json);
  if (!isObject(value)) throw invalid('it is not an object');
  if (value['v'] !== 1) throw invalid('its envelope version is unknown');
  const wrong = envelopeFault(value);
  if (wrong !== null) throw invalid(wrong);
  return value as unknown as AuditEntry;
}

function parseCanonical(json: string): JsonValue {
  try {
    const value: JsonValue = JSON.parse(json);
    if (canonicalJson(value) === json) return value;
  } catch {
    // The parser's message quotes its input; it stays here.
  }
  throw invalid('it is not canonical JSON');
}

function boundsFault(json: string): string | null {
  if (json.length > MAX_ENTRY_BYTES || Buffer.byteLength(json, 'utf8') > MAX_ENTRY_BYTES) return 'it is over 64 KiB';
  return depthOf(json) > MAX_ENTRY_DEPTH ? `it is nested deeper than ${MAX_ENTRY_DEPTH}` : null;
}

/** Counts brackets outside strings, before a recursive function sees the text. */
function depthOf(json: string): number {
  let [depth, deepest] = [0, 0];
  for (let at = 0; at < json.length; at += 1) {
    const unit = json[at];
    if (unit === '"') at = endOfString(json, at);
    else if (unit === '[' || unit === '{') deepest = Math.max(deepest, ++depth);
    else if (unit === ']' || unit === '}') depth -= 1;
  }
  return deepest;
}

/** Where the string that begins at `start` is closed; the end of the text if nowhere. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let slashes = 0;
    while (json[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return json.length;
}

function envelopeFault(entry: JsonObject): string | null {
  const members = Object.keys(entry);
  const lacks = REQUIRED.filter((name) => !members.includes(name));
  if (lacks.length > 0) return `it lacks ${lacks.join(', ')}`;
  if (members.some((name) => !REQUIRED.includes(name) && !OPTIONAL.includes(name))) return 'it has unknown members';
  const wrong = members.filter((name) => !isValid(name, entry[name] as JsonValue));
  return wrong.length === 0 ? null : `${wrong.sort().join(', ')} not as the format says`;
}

function isValid(member: string, value: JsonValue): boolean {
  if (member === 'v') return value === 1;
  if (member === 'index') return Number.isSafeInteger(value) && Number(value) >= 0;
  if (member === 'version') return Number.isSafeInteger(value) && Number(value) >= 1;
  if (member === 'data') return isObject(value);
  if (typeof value !== 'string') return false;
  if (member === 'time') return TIME.test(value) && isInstant(value);
  return (member === 'kind' ? KIND : NAME).test(value);
}

/** Not the 30th of February: what the calendar makes of it is what was written. */
function isInstant(time: string): boolean {
  const epochMs = Date.parse(time);
  return Number.isFinite(epochMs) && timestamp(epochMs) === time;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The audit entry is refused: ${what}.`);
}
