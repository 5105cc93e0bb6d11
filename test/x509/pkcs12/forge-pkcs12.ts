import { createCipheriv, createHmac, pbkdf2Sync } from 'node:crypto';
import forge from 'node-forge';

/** PKCS#12 files made by hand (RFC 7292), so that they can lie; keys are derived by node-forge, a second opinion. */

export interface Forged {
  /** Each a safe of its own, in the clear unless sealed. */
  readonly safes: readonly Buffer[];
  readonly version?: number;
  /** Default: `hunter2`, one iteration. Null leaves the MAC out. */
  readonly mac?: Mac | null;
  /** Replaces the type `data` of the outer content. */
  readonly contentType?: string;
  /** Rewrites the content before the MAC is made over it, and the file. */
  readonly form?: (der: Buffer) => Buffer;
}

export interface Mac {
  /** Null for none at all. */
  readonly password?: string | null;
  readonly salt?: Buffer;
  /** What the file says; at most 2048 are done. Null leaves the number out, which means one. */
  readonly iterations?: number | null;
  readonly algorithm?: string;
}

export const OID = {
  data: '2a864886f70d010701',
  signed: '2a864886f70d010702',
  encrypted: '2a864886f70d010706',
  enveloped: '2a864886f70d010703',
  sha1: '2b0e03021a',
  tripleDes: '2a864886f70d010c0103',
  rc4: '2a864886f70d010c0101',
} as const;

const HONEST = 2048;

export function forgePkcs12(forged: Forged): Buffer {
  const { safes, version = 3, mac = {}, contentType = OID.data, form = (der) => der } = forged;
  const content = form(sequence(...safes));
  const authSafe = sequence(oid(contentType), explicit(octets(content)));
  const parts = mac === null ? [] : [macData(content, mac)];
  return form(sequence(integer(version), authSafe, ...parts));
}

function macData(content: Buffer, mac: Mac): Buffer {
  const { password = 'hunter2', salt = Buffer.from('saltsalt'), iterations = 1, algorithm = OID.sha1 } = mac;
  const key = derived(password, salt, 3, iterations ?? 1, 20);
  const digest = createHmac('sha1', key).update(content).digest();
  return sequence(
    sequence(sequence(oid(algorithm)), octets(digest)),
    octets(salt),
    ...(iterations === null ? [] : [integer(iterations)]),
  );
}

/** A safe with these bags, in the clear. */
export function safe(...bags: readonly Buffer[]): Buffer {
  return sequence(oid(OID.data), explicit(octets(sequence(...bags))));
}

/** A safe that is encrypted; its content need not be bags. */
export function sealedSafe(content: Buffer, encrypted: Encrypted): Buffer {
  const info = sequence(oid(OID.data), encrypted.algorithm, element(0x80, encrypted.seal(content)));
  return sequence(oid(OID.encrypted), explicit(sequence(integer(0), info)));
}

export const keyBag = (pkcs8: Buffer) => bag(1, pkcs8);
export const shroudedBag = (pkcs8: Buffer, encrypted: Encrypted) =>
  bag(2, sequence(encrypted.algorithm, octets(encrypted.seal(pkcs8))));
export const certificateBag = (der: Buffer) => bag(3, sequence(oid('2a864886f70d01091601'), explicit(octets(der))));

/** `kind`: the last arc of the bag's object identifier. */
export function bag(kind: number, value: Buffer): Buffer {
  const name = element(0x1e, Buffer.from('n', 'utf16le').swap16());
  const attribute = sequence(oid('2a864886f70d010914'), element(0x31, name));
  return sequence(oid(`2a864886f70d010c0a010${kind}`), explicit(value), element(0x31, attribute));
}

export interface Encrypted {
  readonly algorithm: Buffer;
  seal(plain: Buffer): Buffer;
}

/** `iterations`: what the file says; at most 2048 are done. */
export function tripleDes(
  password: string | null = 'hunter2',
  iterations = 1,
  scheme: string = OID.tripleDes,
): Encrypted {
  const salt = Buffer.from('pepper!!');
  return {
    algorithm: sequence(oid(scheme), sequence(octets(salt), integer(iterations))),
    seal: (plain) => {
      const key = derived(password, salt, 1, iterations, 24);
      return enciphered('des-ede3-cbc', key, derived(password, salt, 2, iterations, 8), plain);
    },
  };
}

/** As {@link tripleDes}; `unsaid` leaves the hash out, which means SHA-1. */
export function pbes2(
  password = 'hunter2',
  iterations = 1,
  cipher = AES_256,
  hash: 'sha256' | 'unsaid' = 'sha256',
): Encrypted {
  const salt = Buffer.from('pepper!!');
  const vector = Buffer.alloc(16, 7);
  const prf = hash === 'unsaid' ? [] : [sequence(oid('2a864886f70d0209'), element(0x05, Buffer.alloc(0)))];
  const kdf = sequence(oid('2a864886f70d01050c'), sequence(octets(salt), integer(iterations), ...prf));
  return {
    algorithm: sequence(oid('2a864886f70d01050d'), sequence(kdf, sequence(oid(cipher), octets(vector)))),
    seal: (plain) => {
      const key = pbkdf2Sync(password, salt, honest(iterations), 32, hash === 'unsaid' ? 'sha1' : hash);
      return enciphered('aes-256-cbc', key, vector, plain);
    },
  };
}

export const AES_256 = '60864801650304012a';

function derived(
  password: string | null,
  salt: Buffer,
  purpose: 1 | 2 | 3,
  iterations: number,
  length: number,
): Buffer {
  const bytes = forge.util.createBuffer(salt.toString('latin1'));
  const digest = forge.md.sha1.create();
  // The published types want a password; null is none at all.
  const word = password as string;
  const key = forge.pkcs12.generateKey(word, bytes, purpose, honest(iterations), length, digest);
  return Buffer.from(key.getBytes(), 'latin1');
}

const honest = (iterations: number) => Math.min(Math.max(iterations, 1), HONEST);

function enciphered(name: string, key: Buffer, vector: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv(name, key, vector);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

export const sequence = (...parts: readonly Buffer[]) => element(0x30, ...parts);
export const octets = (content: Buffer) => element(0x04, content);
export const explicit = (content: Buffer) => element(0xa0, content);
export const oid = (hex: string) => element(0x06, Buffer.from(hex, 'hex'));

export function integer(value: number): Buffer {
  if (value >= -0x80 && value < 0x80) return element(0x02, Buffer.from([value & 0xff]));
  const wide = Buffer.alloc(5);
  wide.writeIntBE(value, 0, 5);
  return element(0x02, wide);
}

export function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const short = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : null;
  const header = Buffer.from([tag, ...(short ?? [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff])]);
  return Buffer.concat([header, content]);
}

/** DER as a streaming BER writer has it: every constructed element of indefinite length, octet strings in pieces. */
export function streamed(der: Buffer): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at);
    const first = der.readUInt8(at + 1);
    const start = at + 2 + (first < 0x80 ? 0 : first & 0x7f);
    const length = first < 0x80 ? first : der.readUIntBE(at + 2, first & 0x7f);
    const content = der.subarray(start, start + length);
    at = start + length;
    const whole = (tag & 0x20) === 0 && tag !== 0x04 && tag !== 0x80;
    if (whole) out.push(element(tag, content));
    else out.push(indefinite(tag | 0x20, (tag & 0x20) === 0 ? pieces(content) : streamed(content)));
  }
  return Buffer.concat(out);
}

function indefinite(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x80]), content, Buffer.alloc(2)]);
}

function pieces(content: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += 100) parts.push(octets(content.subarray(at, at + 100)));
  return Buffer.concat(parts);
}
