import { SecretBytes } from '../../core/secret-bytes.ts';

/** Where the value of a member of a JSON object stands in its octets, quotes and braces included. */
export interface Member {
  readonly kind: 'text' | 'object' | 'other';
  readonly from: number;
  readonly to: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/**
 * Members of the JSON object (RFC 8259) between `from` and `to`, without a string of any value: a string could not be
 * wiped. The octets come from elsewhere and may be anything.
 * @returns null for what is no object, or has a name twice.
 */
export function membersOf(octets: Buffer, from = 0, to = octets.length): Map<string, Member> | null {
  let at = skipSpace(octets, from, to);
  if (octets[at] !== OPEN_OBJECT) return null;
  at = skipSpace(octets, at + 1, to);
  const members = new Map<string, Member>();
  if (octets[at] === CLOSE_OBJECT) return isEnd(octets, at + 1, to) ? members : null;
  for (;;) {
    const nameEnd = endOfValue(octets, at, to);
    const name = octets[at] === QUOTE && nameEnd !== null ? nameOf(octets.subarray(at, nameEnd)) : null;
    if (name === null || nameEnd === null || members.has(name)) return null;
    at = skipSpace(octets, nameEnd, to);
    if (octets[at] !== COLON) return null;
    const start = skipSpace(octets, at + 1, to);
    const end = endOfValue(octets, start, to);
    if (end === null) return null;
    members.set(name, { kind: kindOf(octets[start]), from: start, to: end });
    at = skipSpace(octets, end, to);
    if (at < to && octets[at] === CLOSE_OBJECT) return isEnd(octets, at + 1, to) ? members : null;
    if (at >= to || octets[at] !== COMMA) return null;
    at = skipSpace(octets, at + 1, to);
  }
}

function kindOf(octet: number | undefined): Member['kind'] {
  if (octet === QUOTE) return 'text';
  return octet === OPEN_OBJECT ? 'object' : 'other';
}

/** Names are no secrets. */
function nameOf(quoted: Buffer): string | null {
  try {
    const name: unknown = JSON.parse(quoted.toString('utf8'));
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}

function skipSpace(octets: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && (octets[at] === 0x20 || octets[at] === 0x0a || octets[at] === 0x0d || octets[at] === 0x09)) at += 1;
  return at;
}

function isEnd(octets: Buffer, from: number, to: number): boolean {
  return skipSpace(octets, from, to) === to;
}

/** Behind the value that begins here; null when it does not end. Nothing is said of what a number or list holds. */
function endOfValue(octets: Buffer, from: number, to: number): number | null {
  let depth = 0;
  let at = from;
  while (at < to) {
    const octet = octets[at];
    if (octet === QUOTE) {
      const end = endOfText(octets, at, to);
      if (end === null || depth === 0) return end;
      at = end;
      continue;
    }
    if (octet === OPEN_OBJECT || octet === OPEN_LIST) depth += 1;
    const closes = octet === CLOSE_OBJECT || octet === CLOSE_LIST;
    if (depth === 0 && (closes || octet === COMMA || octet === 0x20 || octet === 0x0a)) return at > from ? at : null;
    if (closes) depth -= 1;
    at += 1;
    if (closes && depth === 0) return at;
  }
  return null;
}

function endOfText(octets: Buffer, from: number, to: number): number | null {
  for (let at = from + 1; at < to; at += 1) {
    if (octets[at] === QUOTE) return at + 1;
    if (octets[at] === BACKSLASH) at += 1;
  }
  return null;
}

const ESCAPES: Readonly<Record<number, number>> = {
  [QUOTE]: QUOTE,
  [BACKSLASH]: BACKSLASH,
  47: 0x2f,
  98: 0x08,
  102: 0x0c,
  110: 0x0a,
  114: 0x0d,
  116: 0x09,
};

/** The text of a member as octets of UTF-8, which the caller disposes of; null for what is no text of JSON. */
export function textOf(octets: Buffer, { kind, from, to }: Member): SecretBytes | null {
  if (kind !== 'text') return null;
  // An escape is never shorter than what it stands for.
  const text = Buffer.allocUnsafeSlow(to - from);
  const length = decode(octets, from + 1, to - 1, text);
  const own = length === null ? null : SecretBytes.copyOf(text.subarray(0, length));
  text.fill(0);
  return own;
}

function decode(octets: Buffer, from: number, to: number, text: Buffer): number | null {
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const octet = octets[at] ?? 0;
    if (octet < 0x20) return null;
    if (octet !== BACKSLASH) {
      text[length++] = octet;
      continue;
    }
    at += 1;
    const plain = ESCAPES[octets[at] ?? 0];
    if (plain !== undefined) {
      text[length++] = plain;
      continue;
    }
    const unit = octets[at] === 0x75 ? hexOf(octets, at + 1, to) : null;
    if (unit === null) return null;
    at += 4;
    const point = isHigh(unit) ? joined(unit, lowAfter(octets, at + 1, to)) : unit;
    if (point === null || (point >= 0xdc00 && point <= 0xdfff)) return null;
    if (isHigh(unit)) at += 6;
    length = writePoint(text, length, point);
  }
  return length;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function joined(high: number, low: number | null): number | null {
  return low === null || low < 0xdc00 || low > 0xdfff ? null : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

function lowAfter(octets: Buffer, from: number, to: number): number | null {
  return octets[from] === BACKSLASH && octets[from + 1] === 0x75 ? hexOf(octets, from + 2, to) : null;
}

/** Four hexadecimal digits. */
function hexOf(octets: Buffer, from: number, to: number): number | null {
  if (from + 4 > to) return null;
  let value = 0;
  for (let at = from; at < from + 4; at += 1) {
    const digit = digitOf(octets[at] ?? 0);
    if (digit === null) return null;
    value = value * 16 + digit;
  }
  return value;
}

function digitOf(octet: number): number | null {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : null;
}

/** RFC 3629 section 3. Gives the length after it. */
function writePoint(text: Buffer, start: number, point: number): number {
  let at = start;
  if (point < 0x80) {
    text[at++] = point;
  } else if (point < 0x800) {
    text[at++] = 0xc0 | (point >> 6);
    text[at++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    text[at++] = 0xe0 | (point >> 12);
    text[at++] = 0x80 | ((point >> 6) & 0x3f);
    text[at++] = 0x80 | (point & 0x3f);
  } else {
    text[at++] = 0xf0 | (point >> 18);
    text[at++] = 0x80 | ((point >> 12) & 0x3f);
    text[at++] = 0x80 | ((point >> 6) & 0x3f);
    text[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}
