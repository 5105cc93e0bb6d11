import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { newToken } from '../../../../src/access/token.ts';
import { Searcher, told } from './searcher.ts';
import { keyCanary, octetsCanary, textCanary, tokenCanary } from './secrets.ts';

const KEYS = {
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  Ed25519: generateKeyPairSync('ed25519').privateKey,
};

const SECRET = 'can"ary\\ +/% ünï token';

function pem(key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): string {
  return key.export({ format: 'pem', type } as { format: 'pem'; type: 'pkcs8' }) as string;
}

function der(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' });
}

/** Ways in which octets get into places, each by whatever makes it in the wild. */
const WAYS: Record<string, (octets: Buffer) => Buffer | string> = {
  'as they are': (octets) => octets,
  'as limbs': (octets) => Buffer.from(octets).reverse(),
  'hex()': (octets) => octets.toString('hex'),
  HEX: (octets) => octets.toString('hex').toUpperCase(),
  'openssl -text': (octets) => (octets.toString('hex').match(/../g) ?? []).join(':'),
  'inspect(buffer)': (octets) => inspect(octets),
  'inspect(array)': (octets) => inspect(new Uint8Array(octets), { maxArrayLength: null, breakLength: Infinity }),
  'JSON of a Buffer': (octets) => JSON.stringify(octets),
  'base64, one octet before': (octets) => Buffer.concat([randomBytes(1), octets]).toString('base64'),
  'base64, two octets before': (octets) => Buffer.concat([randomBytes(2), octets]).toString('base64'),
  'base64, three octets before': (octets) => Buffer.concat([randomBytes(3), octets]).toString('base64'),
  base64url: (octets) => octets.toString('base64url'),
  'JSON of base64': (octets) => JSON.stringify({ secret: octets.toString('base64') }),
  'a string of Latin-1 in JSON': (octets) => JSON.stringify({ secret: octets.toString('latin1') }),
  'a string of Latin-1': (octets) => octets.toString('latin1'),
  'UTF-16 of base64': (octets) => Buffer.from(octets.toString('base64'), 'utf16le'),
  'UTF-16 of hex': (octets) => Buffer.from(octets.toString('hex'), 'utf16le'),
  'percent-encoded': (octets) => octets.toString('hex').replaceAll(/../g, '%$&'),
  'URLSearchParams of base64': (octets) => encodeURIComponent(octets.toString('base64url')),
  'its first half': (octets) => octets.subarray(0, octets.length / 2),
  'its last half': (octets) => octets.subarray(octets.length / 2),
};

const SECRETS: Record<string, [Buffer, Searcher]> = {
  'a private number': [privateNumber(KEYS.RSA), new Searcher([keyCanary('key', KEYS.RSA)])],
  'a scalar': [privateNumber(KEYS['P-256']), new Searcher([keyCanary('key', KEYS['P-256'])])],
  'a seed': [privateNumber(KEYS.Ed25519), new Searcher([keyCanary('key', KEYS.Ed25519)])],
  'octets of a master key': ((octets: Buffer): [Buffer, Searcher] => [
    octets,
    new Searcher([octetsCanary('master', octets)]),
  ])(randomBytes(40)),
};

function privateNumber(key: KeyObject): Buffer {
  return Buffer.from(String(key.export({ format: 'jwk' }).d), 'base64url');
}

for (const [secret, [octets, searcher]] of Object.entries(SECRETS)) {
  test.each(Object.entries(WAYS))(`${secret} is found: %s`, (_, way) => {
    const leak = Buffer.from(way(octets));
    const around = Buffer.concat([randomBytes(100), leak, randomBytes(100)]);
    expect(searcher.find(around)).not.toEqual([]);
  });
}

test.each(Object.entries(KEYS))('an %s key is found in each of its files, broken into lines or not', (kind, key) => {
  const searcher = new Searcher([keyCanary('key', key)]);
  const type = { RSA: 'pkcs1', 'P-256': 'sec1', Ed25519: 'pkcs8' }[kind] as 'pkcs1';
  const forms: Record<string, Buffer | string> = {
    pkcs8: pem(key),
    traditional: pem(key, type),
    'JSON of PEM': JSON.stringify({ key: pem(key) }),
    'inspect of PEM': inspect({ key: pem(key) }),
    'UTF-16': Buffer.from(pem(key), 'utf16le'),
    CRLF: pem(key).replaceAll('\n', '\r\n'),
    DER: der(key),
    'DER in base64': der(key).toString('base64'),
    'DER in base64, 76 a line': der(key).toString('base64').replaceAll(/.{76}/g, '$&\r\n'),
    JWK: JSON.stringify(key.export({ format: 'jwk' })),
    decimal: BigInt(`0x${privateNumber(key).toString('hex')}`).toString(),
  };
  for (const [form, leak] of Object.entries(forms)) expect([form, searcher.find(leak).length]).not.toEqual([form, 0]);
});

test('a text is found as it is, escaped for JSON and for a URL, and in UTF-16', () => {
  const searcher = new Searcher([textCanary('text', SECRET)]);
  const form = new URLSearchParams({ token: SECRET }).toString();
  for (const leak of [SECRET, JSON.stringify(SECRET), encodeURIComponent(SECRET), form.replaceAll('+', '%20')])
    expect([leak, searcher.find(leak).length]).not.toEqual([leak, 0]);
  expect(searcher.find(Buffer.from(SECRET, 'utf16le'))).not.toEqual([]);
});

test('a token is found by its secret part, not by its public id', () => {
  const token = newToken(0).token.bytes.toString('latin1');
  const searcher = new Searcher([tokenCanary('token', token)]);
  const [id, secret] = [token.slice(4, 36), token.slice(37, 80)];
  expect(searcher.find(`Bearer ${token}`)).not.toEqual([]);
  expect(searcher.find(Buffer.from(secret, 'base64url'))).not.toEqual([]);
  expect(searcher.find(`token_${id}`)).toEqual([]);
});

test('what is public of a key is no trace of it, nor is another key', () => {
  for (const key of Object.values(KEYS)) {
    const searcher = new Searcher([keyCanary('key', key)]);
    const { n, x, y } = key.export({ format: 'jwk' });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(searcher.find(JSON.stringify([n, x, y]) + pem(other) + randomBytes(10_000).toString('base64'))).toEqual([]);
  }
});

test('findings name canary, encoding and count, and never quote what was found', () => {
  const searcher = new Searcher([textCanary('text', 'planted-secret')]);
  expect(told(searcher.find('planted-secret, planted-secret'))).toEqual(['text: octets ×2']);
  expect(searcher.find('ab')).toEqual([]);
});
