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
const TOO_LONG = 'it is over 64 KiB';
const [QUOTE, BACKSLASH, BRACKET, BRACKET_END, BRACE, BRACE_END] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
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
  const octets = Buffer.from(json, 'utf8');
  const fault = boundsFault(octets) ?? envelopeFault({ ...entry });
  if (fault !== null) throw new KeyturnError('invalid_input', `An audit entry cannot be recorded: ${fault}.`);
  return { entry, json, leafHash: leafHash(octets) };
}

/**
 * Reads one entry (attacker-controlled text). Strict: canonical JSON alone, envelope version 1, no member that the
 * format does not name. So one entry has one text, and a reader never skips what it does not understand.
 * @throws KeyturnError `audit_invalid`; the message never quotes the text.
 */
export function parseEntry(json: string): AuditEntry {
  // Its octets are at least as many as its units.
  const fault = json.length > MAX_ENTRY_BYTES ? TOO_LONG : boundsFault(Buffer.from(json, 'utf8'));
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

function boundsFault(json: Buffer): string | null {
  if (json.length > MAX_ENTRY_BYTES) return TOO_LONG;
  return depthOf(json) > MAX_ENTRY_DEPTH ? `it is nested deeper than ${MAX_ENTRY_DEPTH}` : null;
}

/** Counts brackets outside strings, before a recursive function sees the text. All that counts is ASCII. */
function depthOf(json: Buffer): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let at = 0; at < json.length; at += 1) {
    const octet = json[at];
    if (octet === QUOTE) inString = !inString;
    else if (octet === BACKSLASH && inString) at += 1;
    else if (inString) continue;
    else if (octet === BRACKET || octet === BRACE) deepest = Math.max(deepest, ++depth);
    else if (octet === BRACKET_END || octet === BRACE_END) depth -= 1;
  }
  return deepest;
}

function envelopeFault(entry: JsonObject): string | null {
  return isSound(entry) ? null : namedFault(entry);
}

function isSound(entry: JsonObject): boolean {
  let required = 0;
  for (const name of Object.keys(entry)) {
    if (REQUIRED.includes(name)) required += 1;
    else if (!OPTIONAL.includes(name)) return false;
    if (!isValid(name, entry[name] as JsonValue)) return false;
  }
  return required === REQUIRED.length;
}

function namedFault(entry: JsonObject): string | null {
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
  if (member === 'time') return value === newestInstant || (TIME.test(value) && isInstant(value));
  return (member === 'kind' ? KIND : NAME).test(value);
}

/** The entries of one commit have their time in common. */
let newestInstant = '';

/** Not the 30th of February: what the calendar makes of it is what was written. */
function isInstant(time: string): boolean {
  const epochMs = Date.parse(time);
  if (!Number.isFinite(epochMs) || timestamp(epochMs) !== time) return false;
  newestInstant = time;
  return true;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The audit entry is refused: ${what}.`);
}
