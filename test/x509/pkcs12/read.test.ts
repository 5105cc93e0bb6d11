import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { readBer } from '../../../src/x509/pkcs12/ber.ts';
import { openEncrypted } from '../../../src/x509/pkcs12/encryption/open.ts';
import { Password, passwordsToTry } from '../../../src/x509/pkcs12/password.ts';
import { looksLikePkcs12, readPkcs12 } from '../../../src/x509/pkcs12/read.ts';
import { Reading } from '../../../src/x509/pkcs12/reading.ts';
import { refusalOf } from '../expect-refusal.ts';
import {
  AES_256,
  bag,
  certificateBag,
  element,
  explicit,
  type Forged,
  forgePkcs12,
  integer,
  keyBag,
  OID,
  octets,
  oid,
  pbes2,
  safe,
  sealedSafe,
  sequence,
  shroudedBag,
  streamed,
  tripleDes,
} from './forge-pkcs12.ts';

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'der', type: 'pkcs8' });
const other = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
/** Opaque here: whoever opens the file does not judge what is within. */
const certificate = Buffer.from('3003020105', 'hex');

const sha1Pbes2 = pbes2('hunter2', 1, AES_256, 'unsaid');

const password = (text: string) => SecretBytes.own(Buffer.from(text));
const CODES: readonly ErrorCode[] = ['archive_rejected', 'key_unreadable', 'key_password_wrong'];

async function read(bytes: Buffer, word: string | null = 'hunter2') {
  const { keys, certificates } = await readPkcs12(bytes, word === null ? undefined : password(word));
  const found = { keys: keys.map(({ bytes: der }) => Buffer.from(der)), certificates };
  for (const one of keys) one.dispose();
  return found;
}

const refused = (code: ErrorCode, forged: Forged, word: string | null = 'hunter2') =>
  refusalOf(code, read(forgePkcs12(forged), word));

describe('what programs write is read', () => {
  test.each([
    ['key and certificate in the clear', [safe(keyBag(key), certificateBag(certificate))]],
    ['the key under triple DES', [safe(shroudedBag(key, tripleDes())), safe(certificateBag(certificate))]],
    ['the key under AES', [safe(shroudedBag(key, pbes2())), safe(certificateBag(certificate))]],
    ['PBKDF2 that leaves its hash out', [safe(shroudedBag(key, sha1Pbes2), certificateBag(certificate))]],
    ['everything under AES', [sealedSafe(sequence(keyBag(key), certificateBag(certificate)), pbes2())]],
    [
      'an encrypted key in an encrypted safe',
      [sealedSafe(sequence(shroudedBag(key, tripleDes()), certificateBag(certificate)), pbes2())],
    ],
    [
      'other secrets and revocation lists beside them',
      [safe(bag(5, sequence()), keyBag(key)), safe(bag(4, sequence()), certificateBag(certificate))],
    ],
  ])('%s; with a MAC, without one, as DER and as a stream', async (_what, safes) => {
    const expected = { keys: [key], certificates: [certificate] };
    expect(await read(forgePkcs12({ safes }))).toEqual(expected);
    expect(await read(forgePkcs12({ safes, mac: null }))).toEqual(expected);
  });

  test('BER as streaming writers have it: indefinite lengths and strings in pieces, within the encrypted part too', async () => {
    const bags = streamed(sequence(shroudedBag(key, tripleDes()), certificateBag(certificate)));
    const bytes = forgePkcs12({ safes: [sealedSafe(bags, pbes2())], form: streamed });
    expect(bytes.readUInt16BE()).toBe(0x3080);
    expect(looksLikePkcs12(bytes)).toBe(true);
    expect(await read(bytes)).toEqual({ keys: [key], certificates: [certificate] });
    await refusalOf('key_password_wrong', read(bytes, 'hunter3'));
  });

  test('several keys and certificates come out in the order of the file', async () => {
    const safes = [safe(keyBag(key), certificateBag(certificate), keyBag(other)), safe(certificateBag(other))];
    expect(await read(forgePkcs12({ safes }))).toEqual({ keys: [key, other], certificates: [certificate, other] });
  });

  test('an empty file holds nothing', async () => {
    expect(await read(forgePkcs12({ safes: [] }))).toEqual({ keys: [], certificates: [] });
  });

  test('a MAC that leaves its one iteration out', async () => {
    const bytes = forgePkcs12({ safes: [safe(keyBag(key))], mac: { iterations: null } });
    expect((await read(bytes)).keys).toEqual([key]);
    await refusalOf('key_password_wrong', read(bytes, 'hunter3'));
  });

  test('neither the file nor the password of the caller is touched', async () => {
    const bytes = forgePkcs12({ safes: [safe(keyBag(key), shroudedBag(key, tripleDes()))], form: streamed });
    const before = Buffer.from(bytes);
    using word = password('hunter2');
    for (const one of (await readPkcs12(bytes, word)).keys) one.dispose();
    expect(bytes.equals(before)).toBe(true);
    expect(word.bytes.toString()).toBe('hunter2');
  });
});

describe('the password', () => {
  const sealed = (word: string | null) => [sealedSafe(sequence(keyBag(key)), tripleDes(word))];

  test.each([
    ['the empty one', ''],
    ['none at all', null],
  ])('%s needs none to be given, and one that is given does no harm', async (_what, empty) => {
    for (const mac of [{ password: empty }, null]) {
      const bytes = forgePkcs12({ safes: sealed(empty), mac });
      for (const given of [null, '', 'hunter2']) expect((await read(bytes, given)).keys).toEqual([key]);
    }
  });

  test('is asked for when none was given or an empty one, and told when it is wrong', async () => {
    for (const mac of [{}, null]) {
      const bytes = forgePkcs12({ safes: sealed('hunter2'), mac });
      await refusalOf('key_password_required', read(bytes, null));
      await refusalOf('key_password_required', read(bytes, ''));
      const error = await refusalOf('key_password_wrong', read(bytes, 'hunter3'));
      expect(inspect(error)).not.toContain('hunter3');
      expect(error.cause).toBeUndefined();
    }
  });

  test('without a MAC no wrong one of many is taken for right or for a damaged file', async () => {
    for (const encrypted of [tripleDes(), pbes2()]) {
      const bytes = forgePkcs12({ safes: [sealedSafe(sequence(keyBag(key)), encrypted)], mac: null });
      for (let i = 0; i < 600; i++) await refusalOf('key_password_wrong', read(bytes, `no ${i}`));
    }
  });

  test('one for the MAC and another for the content is a file to be converted', async () => {
    // The same octets each time: of a key made anew the padding would look right once in 256 times.
    for (const encrypted of [tripleDes('other'), pbes2('other')]) {
      const { fix } = await refused('key_unreadable', { safes: [safe(shroudedBag(certificate, encrypted))] });
      expect(fix).toContain('openssl pkcs12 -legacy');
    }
  });

  test('beyond ASCII is as in UTF-16, beyond the basic plane too', async () => {
    const word = 'päss €🔑';
    expect((await read(forgePkcs12({ safes: sealed(word), mac: { password: word } }), word)).keys).toEqual([key]);
  });
});

describe('what is refused before it costs anything', () => {
  const bags = (count: number) => [safe(...Array<Buffer>(count).fill(certificateBag(certificate)))];
  const nested = (depth: number) => {
    let inner = sequence();
    for (let i = 1; i < depth; i++) inner = sequence(inner);
    return inner;
  };
  const plain: Forged = { safes: [safe(keyBag(key))] };

  test.each<[string, Forged, RegExp]>([
    ['2^31 iterations of the MAC', { ...plain, mac: { iterations: 2 ** 31 } }, /work/],
    ['a million and one', { ...plain, mac: { iterations: 1_000_001 } }, /work/],
    ['a negative number', { ...plain, mac: { iterations: -1 } }, /work/],
    ['none at all', { ...plain, mac: { iterations: 0 } }, /no iteration/],
    ['many iterations of triple DES', { safes: [safe(shroudedBag(key, tripleDes('hunter2', 2 ** 31)))] }, /work/],
    ['many of PBKDF2', { safes: [safe(shroudedBag(key, pbes2('hunter2', 2 ** 31)))] }, /work/],
    ['none of PBKDF2', { safes: [safe(shroudedBag(key, pbes2('hunter2', 0)))] }, /no iteration/],
    [
      'many within an encrypted safe',
      { safes: [sealedSafe(sequence(shroudedBag(key, pbes2('hunter2', 2 ** 31))), pbes2())] },
      /work/,
    ],
    ['an empty salt', { ...plain, mac: { salt: Buffer.alloc(0) } }, /salt/],
    ['a salt of 1025 octets', { ...plain, mac: { salt: Buffer.alloc(1025) } }, /salt/],
    ['65 certificates', { safes: bags(65) }, /more than 64/],
    ['65 in two safes', { safes: [...bags(33), ...bags(32)] }, /more than 64/],
    ['17 levels', { safes: [safe(bag(5, nested(14)))] }, /deeper than 16/],
    ['200,000 levels', { safes: [nested(200_000 / 4)] }, /deeper than 16/],
    ['4097 elements', { safes: [safe(bag(5, sequence(...Array<Buffer>(4090).fill(sequence()))))] }, /more than 4096/],
    ['a safe that is no list of bags', { safes: [safe(integer(1))] }, /RFC 7292/],
    ['an outer content in two parts', { safes: [sequence(oid(OID.data), explicit(sequence()))] }, /RFC 7292/],
    [
      'a vector of the wrong length',
      { safes: [safe(shroudedBag(key, pbes2('hunter2', 1, '2a864886f70d0307')))] },
      /vector/,
    ],
  ])('%s', async (_what, forged, message) => {
    const bytes = forgePkcs12(forged);
    const start = performance.now();
    expect((await refusalOf('archive_rejected', read(bytes))).message).toMatch(message);
    expect(performance.now() - start).toBeLessThan(500);
  });

  test('iterations are summed over the file', async () => {
    const half = (count: number) => safe(shroudedBag(key, pbes2('hunter2', count)));
    const error = await refused('archive_rejected', { safes: [half(2048), half(997_953)], mac: null });
    expect(error.message).toContain('work');
    const fits = forgePkcs12({ safes: [half(2048), safe(shroudedBag(other, pbes2('hunter2', 2048)))] });
    expect((await read(fits)).keys).toEqual([key, other]);
  });

  test('64 certificates and 16 levels are read', async () => {
    expect((await read(forgePkcs12({ safes: bags(64) }))).certificates).toHaveLength(64);
    expect(await read(forgePkcs12({ safes: [safe(bag(5, nested(13)))] }))).toEqual({ keys: [], certificates: [] });
  });

  test('a file larger than 256 KiB', async () => {
    const { message } = await refusalOf('archive_rejected', read(Buffer.alloc(256 * 1024 + 1, 0x30)));
    expect(message).toContain('larger than');
  });

  test.each([
    ['indefinite lengths that never end', `${'3080'.repeat(10)}`],
    ['an indefinite length of a plain element', '30800201030480000000'],
    ['a length of 2^32', '3085010000000002010300'],
    ['a length beyond the file', '3084ffffffff020103'],
    ['an element longer than what holds it', '3005020103300500'],
    ['a tag number above 30', '30060201031f8100'],
    ['an end mark where none belongs', '30050201030000'],
    ['data behind the end', '300302010300'],
    ['nothing', ''],
  ])('%s', async (_what, hex) => {
    await refusalOf('archive_rejected', read(Buffer.from(hex, 'hex')));
  });
});

test('an element that reaches beyond the one that holds it, within the file', async () => {
  const bytes = Buffer.from('300a0201033002040304 01aa'.replaceAll(' ', ''), 'hex');
  expect((await refusalOf('archive_rejected', read(bytes))).message).toContain('longer than what holds it');
});

describe('what must not stay in memory', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('the keys of an attempt that fails, and the forms of each password', async () => {
    const copies = vi.spyOn(SecretBytes, 'copyOf');
    const wiped = vi.spyOn(Password.prototype, Symbol.dispose);
    const bytes = forgePkcs12({ safes: [safe(keyBag(key), shroudedBag(key, tripleDes()))], mac: null });
    await refusalOf('key_password_wrong', read(bytes, 'hunter3'));
    expect(copies.mock.results.map(({ value }) => (value as SecretBytes).disposed)).toEqual([true, true, true]);
    expect(wiped).toHaveBeenCalledTimes(3);
  });

  test('what was decrypted, once the reading ends', async () => {
    for (const encrypted of [tripleDes(), pbes2()]) {
      const reading = new Reading(passwordsToTry(password('hunter2'))[0]!);
      const element = readBer(encrypted.algorithm, reading);
      const { raw } = await openEncrypted(element, encrypted.seal(key), reading);
      expect(raw).toEqual(key);
      reading[Symbol.dispose]();
      expect(raw.every((octet) => octet === 0)).toBe(true);
    }
  });
});

describe('what is protected in another way is told, with what to do', () => {
  test.each<[string, Forged, RegExp]>([
    ['RC4', { safes: [safe(shroudedBag(key, tripleDes('hunter2', 1, OID.rc4)))] }, /encrypted in a way/],
    ['a cipher of PBES2', { safes: [safe(shroudedBag(key, pbes2('hunter2', 1, '2b0e030207')))] }, /cipher/],
    ['another MAC', { safes: [], mac: { algorithm: '2a864886f70d01050e' } }, /check sum/],
    ['a signed file', { safes: [], contentType: OID.signed }, /signed/],
    ['a safe for a certificate', { safes: [sequence(oid(OID.enveloped), explicit(sequence()))] }, /for a certificate/],
    ['a safe within a safe', { safes: [safe(bag(6, sequence()))] }, /within a safe/],
    ['another version', { safes: [], version: 4 }, /version/],
  ])('%s', async (_what, forged, message) => {
    const error = await refused('key_unreadable', forged);
    expect(error.message).toMatch(message);
    expect(error.fix).toContain('openssl pkcs12');
  });
});

describe('damaged and hostile files', () => {
  const sealed = [sealedSafe(sequence(shroudedBag(key, tripleDes()), certificateBag(certificate)), pbes2())];
  const outcome = async (bytes: Buffer) => {
    try {
      return await read(bytes);
    } catch (error) {
      expect(isKeyturnError(error) && CODES.includes(error.code), inspect(error)).toBe(true);
      return null;
    }
  };

  test('cut short anywhere they are refused', async () => {
    for (const mac of [{}, null]) {
      const bytes = forgePkcs12({ safes: sealed, mac });
      for (let end = 0; end < bytes.length; end++) expect(await outcome(bytes.subarray(0, end))).toBeNull();
    }
  });

  test('with any octet changed they give what was written, or nothing', async () => {
    const bytes = forgePkcs12({ safes: sealed });
    const whole = await read(bytes);
    let same = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
        const found = await outcome(changed);
        if (found === null) continue;
        expect(found).toEqual(whole);
        same++;
      }
    }
    // Nothing but what the MAC does not cover and nobody reads.
    expect(same).toBeLessThan(5);
  });

  test('without a MAC too nothing but a closed set of errors comes', async () => {
    const bytes = forgePkcs12({
      safes: [safe(keyBag(key), certificateBag(certificate)), ...sealed],
      mac: null,
      form: streamed,
    });
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, octet] of changes) changed.writeUInt8(octet, at);
        await outcome(changed);
      }),
      { numRuns: 300 },
    );
  });

  test('any octets behind the start of a file', async () => {
    const start = Buffer.from('3080020103', 'hex');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (tail) => {
        expect(await outcome(Buffer.concat([start, tail]))).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  test('any content that is encrypted with the right password', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (content) => {
        await outcome(forgePkcs12({ safes: [sealedSafe(Buffer.from(content), tripleDes())] }));
        await outcome(forgePkcs12({ safes: [sealedSafe(sequence(Buffer.from(content)), pbes2())] }));
      }),
      { numRuns: 200 },
    );
  });
});

test('a PKCS#12 file is known by its start, a key or certificate is none', () => {
  for (const start of ['3003020103', '308103020103', '30820003020103', '3083000003020103', '308400000003020103']) {
    expect(looksLikePkcs12(Buffer.from(start, 'hex'))).toBe(true);
  }
  for (const bytes of [
    key,
    other,
    certificate,
    Buffer.from('0201033003', 'hex'),
    Buffer.from('3082'),
    Buffer.alloc(0),
  ]) {
    expect(looksLikePkcs12(bytes)).toBe(false);
  }
  expect(looksLikePkcs12(octets(element(0x30, integer(3))))).toBe(false);
});
