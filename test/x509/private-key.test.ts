import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import forge from 'node-forge';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, isKeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { spkiFingerprint } from '../../src/x509/fingerprint.ts';
import { type PemBlock, privateKeyPem, readPem } from '../../src/x509/pem.ts';
import { isEncrypted, readPrivateKey, spkiOfPkcs8 } from '../../src/x509/private-key.ts';
import { refusal } from './expect-refusal.ts';
import { shortestMs } from './shortest.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const ed = generateKeyPairSync('ed25519').privateKey;

const blockOf = (pem: string | Buffer): PemBlock => readPem(Buffer.from(pem as string))[0]!;
const password = (text: string) => SecretBytes.own(Buffer.from(text));
const pkcs8 = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' });

describe('every form that partners hand out is read as the same key', () => {
  test.each([
    ['PKCS#1', rsa, 'pkcs1', 'RSA-2048'],
    ['PKCS#8, RSA', rsa, 'pkcs8', 'RSA-2048'],
    ['SEC1', ec, 'sec1', 'EC P-256'],
    ['PKCS#8, EC', ec, 'pkcs8', 'EC P-256'],
    ['PKCS#8, Ed25519', ed, 'pkcs8', 'Ed25519'],
  ] as const)('%s', (_what, key, type, algorithm) => {
    const pem = key.export({ format: 'pem', type: type as 'pkcs8' });
    using read = readPrivateKey(blockOf(pem)).pkcs8;
    const file = readPrivateKey(blockOf(pem));
    expect(file.algorithm).toBe(algorithm);
    expect(file.spki).toBe(spkiFingerprint(key));
    expect(read.bytes.equals(key.export({ format: 'der', type: 'pkcs8' }))).toBe(true);
    expect(privateKeyPem(read.bytes).toString()).toBe(pkcs8(key));
  });

  test.each(['P-384', 'P-521'])('EC %s', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    expect(readPrivateKey(blockOf(pkcs8(privateKey))).algorithm).toBe(`EC ${namedCurve}`);
  });

  test('a key store record is known by its fingerprint', () => {
    using record = SecretBytes.own(ec.export({ format: 'der', type: 'pkcs8' }));
    expect(spkiOfPkcs8(record)).toBe(spkiFingerprint(ec));
    refusal('key_unreadable', () => spkiOfPkcs8(password('junk')));
  });
});

const encrypted: readonly (readonly [string, string, KeyObject])[] = [
  ['PKCS#8, PBES2 with AES', exported(rsa, 'pkcs8', 'aes-256-cbc'), rsa],
  ['PKCS#8, PBES2 with triple DES', exported(ec, 'pkcs8', 'des-ede3-cbc'), ec],
  ['DEK-Info with AES, RSA', exported(rsa, 'pkcs1', 'aes-256-cbc'), rsa],
  ['DEK-Info with AES, EC', exported(ec, 'sec1', 'aes-128-cbc'), ec],
  ['DEK-Info with triple DES', exported(rsa, 'pkcs1', 'des-ede3-cbc'), rsa],
  ['DEK-Info with single DES, by another library', singleDes(rsa), rsa],
  ['PKCS#8, PBE-MD5-DES, by another library', pbes1Des(ec, 'md5'), ec],
  ['PKCS#8, PBE-SHA1-DES, by another library', pbes1Des(ec, 'sha1'), ec],
];

describe('encrypted keys', () => {
  test.each(encrypted)('%s: opened by its password', (_what, pem, key) => {
    expect(isEncrypted(blockOf(pem))).toBe(true);
    expect(readPrivateKey(blockOf(pem), password('hunter2')).spki).toBe(spkiFingerprint(key));
  });

  test.each(encrypted)('%s: without a password it is asked for, a wrong one is told', (_what, pem) => {
    refusal('key_password_required', () => readPrivateKey(blockOf(pem)));
    for (const wrong of ['hunter3', 'x', 'correct horse', 'a'.repeat(2000)]) {
      const error = refusal('key_password_wrong', () => readPrivateKey(blockOf(pem), password(wrong)));
      expect(inspect(error)).not.toContain(wrong.slice(0, 20).padEnd(5, '\0'));
      expect(error.cause).toBeUndefined();
    }
  });

  test('no wrong password of many is ever taken for a damaged file, or for right', () => {
    for (const [, pem] of encrypted.slice(3)) {
      const block = blockOf(pem);
      for (let i = 0; i < 400; i++) refusal('key_password_wrong', () => readPrivateKey(block, password(`no ${i}`)));
    }
  });

  test('a password for a key that has none is ignored', () => {
    expect(readPrivateKey(blockOf(pkcs8(ec)), password('x')).spki).toBe(spkiFingerprint(ec));
  });

  test.each([
    ['PBKDF2 with 2^31 iterations', iterated(0x7fffffff)],
    ['PBKDF2 with a million and one', iterated(1_000_001)],
    ['PBKDF2 with a negative count', iterated(-1)],
    ['scrypt with N = 2^20', scrypt(2 ** 20, 8, 1)],
    ['scrypt with p = 2^20', scrypt(2, 1, 2 ** 20)],
    ['PBES1 with 2^31 iterations', pbes1Des(ec, 'md5', 0x7fffffff)],
  ])('%s is refused before it costs anything', (_what, pem) => {
    const open = () => refusal('key_unreadable', () => readPrivateKey(blockOf(pem), password('hunter2')));
    expect(open().message).toContain('work');
    expect(shortestMs(open)).toBeLessThan(50);
  });

  test('ciphers that are not read, and a DEK-Info line that makes no sense, are named', () => {
    const rc2 = blockOf(exported(rsa, 'pkcs1', 'aes-256-cbc').replace('AES-256-CBC', 'RC2-CBC'));
    refusal('key_unreadable', () => readPrivateKey(rc2, password('hunter2')));
    const odd = blockOf(exported(rsa, 'pkcs1', 'aes-256-cbc').replace('AES-256-CBC,', 'AES-256-CBC;'));
    refusal('key_unreadable', () => readPrivateKey(odd, password('hunter2')));
  });
});

describe('keys that are too weak, torn or foreign are refused', () => {
  test.each([
    ['RSA-1024', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    ['RSA with the exponent 3', generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['P-224', generateKeyPairSync('ec', { namedCurve: 'secp224r1' }).privateKey],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
    ['X25519', generateKeyPairSync('x25519').privateKey],
    ['Ed448', generateKeyPairSync('ed448').privateKey],
  ])('%s', (_what, key) => {
    refusal('key_too_weak', () => readPrivateKey(blockOf(pkcs8(key))));
  });

  test('the public half of another key beside the private one', () => {
    const mine = ec.export({ format: 'der', type: 'pkcs8' });
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      format: 'der',
      type: 'pkcs8',
    });
    const torn = Buffer.concat([mine.subarray(0, -65), other.subarray(-65)]);
    const { message } = refusal('key_unreadable', () => readPrivateKey(blockOf(privateKeyPem(torn))));
    expect(message).toContain('belong together');
  });

  test.each(['OPENSSH PRIVATE KEY', 'DSA PRIVATE KEY', 'ANY PRIVATE KEY'])('the form %s', (label) => {
    const pem = pkcs8(ec).toString().replaceAll('PRIVATE KEY', label);
    expect(refusal('key_unreadable', () => readPrivateKey(blockOf(pem))).fix).toContain('openssl');
  });
});

describe('whatever comes in', () => {
  const codes: readonly ErrorCode[] = ['key_unreadable', 'key_too_weak', 'key_password_wrong'];
  test.each([
    ['PKCS#8', blockOf(pkcs8(ec))],
    ['SEC1', blockOf(ec.export({ format: 'pem', type: 'sec1' }))],
    ['PKCS#1', blockOf(rsa.export({ format: 'pem', type: 'pkcs1' }))],
    ['PBES1', blockOf(pbes1Des(ec, 'md5'))],
    ['PBES2', blockOf(exported(ec, 'pkcs8', 'aes-256-cbc'))],
  ])('%s with changed octets is read or refused, and nothing of it is told', (_what, block) => {
    const secret = password('hunter2');
    const change = fc.tuple(fc.nat(block.der.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const der = Buffer.from(block.der);
        for (const [at, octet] of changes) der.writeUInt8(octet, at);
        try {
          readPrivateKey({ ...block, der }, secret).pkcs8.dispose();
        } catch (error) {
          expect(isKeyturnError(error) && codes.includes(error.code), String(error)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an inspected key file shows no octet of the key', () => {
    const file = readPrivateKey(blockOf(pkcs8(ec)));
    const secret = ec.export({ format: 'jwk' }).d ?? '';
    const shown = inspect(file, { depth: 10, showHidden: true }) + JSON.stringify(file);
    for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
      expect(shown).not.toContain(Buffer.from(secret, 'base64url').toString(form).slice(0, 12));
    }
  });
});

function exported(key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1', cipher: string): string {
  return key.export({ format: 'pem', type: type as 'pkcs8', cipher, passphrase: 'hunter2' }).toString();
}

/** node-forge as the independent second implementation; a key made for this test alone goes through its strings. */
function singleDes(key: KeyObject): string {
  const theirs = forge.pki.privateKeyFromPem(key.export({ format: 'pem', type: 'pkcs1' }).toString());
  // The published types leave `des` out.
  const options = { algorithm: 'des' as '3des', legacy: true };
  return forge.pki.encryptRsaPrivateKey(theirs, 'hunter2', options);
}

function pbes1Des(key: KeyObject, digest: 'md5' | 'sha1', iterations = 2048): string {
  const salt = forge.random.getBytesSync(8);
  let derived = forge.md[digest].create().update(`hunter2${salt}`).digest();
  for (let round = 1; round < Math.min(iterations, 2048); round++) {
    derived = forge.md[digest].create().update(derived.getBytes()).digest();
  }
  const octets = derived.getBytes();
  const cipher = forge.cipher.createCipher('DES-CBC', octets.slice(0, 8));
  cipher.start({ iv: octets.slice(8, 16) });
  cipher.update(forge.util.createBuffer(key.export({ format: 'der', type: 'pkcs8' }).toString('latin1')));
  cipher.finish();
  const count = Buffer.alloc(4);
  count.writeInt32BE(iterations);
  const parameters = der(0x30, der(0x04, Buffer.from(salt, 'latin1')), der(0x02, count));
  const oid = der(0x06, Buffer.from(`2a864886f70d0105${digest === 'md5' ? '03' : '0a'}`, 'hex'));
  return wrapped(der(0x30, oid, parameters), Buffer.from(cipher.output.getBytes(), 'latin1'));
}

function iterated(iterations: number): string {
  const count = Buffer.alloc(4);
  count.writeInt32BE(iterations);
  return pbes2('2a864886f70d01050c', der(0x04, Buffer.alloc(8)), der(0x02, count));
}

function scrypt(n: number, r: number, p: number): string {
  const numbers = [n, r, p].map((value) => {
    const octets = Buffer.alloc(4);
    octets.writeInt32BE(value);
    return der(0x02, octets);
  });
  return pbes2('2b06010401da47040b', der(0x04, Buffer.alloc(8)), ...numbers);
}

function pbes2(kdf: string, ...parameters: Buffer[]): string {
  const derivation = der(0x30, der(0x06, Buffer.from(kdf, 'hex')), der(0x30, ...parameters));
  const aes = der(0x30, der(0x06, Buffer.from('60864801650304012a', 'hex')), der(0x04, Buffer.alloc(16)));
  const scheme = der(0x30, der(0x06, Buffer.from('2a864886f70d01050d', 'hex')), der(0x30, derivation, aes));
  return wrapped(scheme, Buffer.alloc(64));
}

function wrapped(scheme: Buffer, data: Buffer): string {
  const body = der(0x30, scheme, der(0x04, data)).toString('base64');
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  if (length.length === 3 && content.length < 0x100) length.splice(0, 3, 0x81, content.length);
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
