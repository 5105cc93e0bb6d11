import type { KeyObject } from 'node:crypto';
import { type Encoded, encodingsOf, piecesOf, textEncodings } from './encodings.ts';

/** A planted secret with everything that would give it away. */
export interface Canary {
  readonly name: string;
  readonly traces: readonly Encoded[];
}

/** Octets that are secret as a whole. */
export function octetsCanary(name: string, secret: Buffer): Canary {
  return { name, traces: piecesOf(secret).flatMap(encodingsOf) };
}

export function textCanary(name: string, secret: string): Canary {
  const { traces } = octetsCanary(name, Buffer.from(secret, 'utf8'));
  const ascii = JSON.stringify(secret).replaceAll(/[^\x20-\x7e]/g, escaped);
  const inJson = [JSON.stringify(secret), ascii].flatMap((text) => textEncodings('JSON string', text.slice(1, -1)));
  return { name, traces: [...traces, ...textEncodings('text', secret), ...inJson] };
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** `ktn_<id>_<secret>_<checksum>`: the id is public; the secret is looked for as text and as what the text stands for. */
export function tokenCanary(name: string, token: string): Canary {
  const secret = /^ktn_[0-9a-f]{32}_([A-Za-z0-9_-]{43})_[0-9a-f]{8}$/.exec(token)?.[1];
  if (secret === undefined) throw new Error(`${name} is no API token.`);
  const traces = [secret, Buffer.from(secret, 'base64url')].flatMap((each) =>
    piecesOf(Buffer.from(each as string)).flatMap(encodingsOf),
  );
  return { name, traces };
}

/** Members of a JWK that nobody but the owner may know (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** A private key: its numbers, also as decimal, and the lines of each PEM form that hold a part of them. */
export function keyCanary(name: string, key: KeyObject): Canary {
  const jwk = key.export({ format: 'jwk' });
  const numbers = PRIVATE_MEMBERS.flatMap((member) => {
    const value = jwk[member];
    return typeof value === 'string' ? [Buffer.from(value, 'base64url')] : [];
  });
  return {
    name,
    traces: [
      ...numbers.flatMap((number) => piecesOf(number).flatMap(encodingsOf)),
      ...numbers.flatMap(decimals),
      ...formsOf(key).flatMap((der) => pemLines(der, numbers)),
    ],
  };
}

const DIGITS = 30;

function decimals(number: Buffer): Encoded[] {
  const text = BigInt(`0x${number.toString('hex')}`).toString();
  return [text.slice(0, DIGITS), text.slice(-DIGITS)].flatMap((part) => textEncodings('decimal number', part));
}

/** DER of PKCS#8, and of PKCS#1 or SEC1 where the kind of key has it. */
function formsOf(key: KeyObject): Buffer[] {
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  if (key.asymmetricKeyType === 'rsa') return [pkcs8, key.export({ format: 'der', type: 'pkcs1' })];
  if (key.asymmetricKeyType === 'ec') return [pkcs8, key.export({ format: 'der', type: 'sec1' })];
  return [pkcs8];
}

/** Octets a line of PEM has (RFC 7468 section 2). */
const LINE = 48;
/** Of a line that holds less than this of a number, what is left is public. */
const LEAST = 8;

function pemLines(der: Buffer, numbers: readonly Buffer[]): Encoded[] {
  const ranges = numbers.map((number) => ({ from: der.indexOf(number), to: der.indexOf(number) + number.length }));
  const lines: Encoded[] = [];
  for (let from = 0; from < der.length; from += LINE) {
    const to = Math.min(from + LINE, der.length);
    const secret = ranges.some((range) => Math.min(to, range.to) - Math.max(from, range.from) >= LEAST);
    if (secret) lines.push(...textEncodings('line of PEM', der.subarray(from, to).toString('base64')));
  }
  return lines;
}
