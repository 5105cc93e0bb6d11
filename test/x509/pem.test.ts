import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/x509/encoding/base64.ts';
import { type PemBlock, privateKeyPem, readPem, wipePem, wrapPem } from '../../src/x509/pem.ts';
import { orRefused, refusal } from './expect-refusal.ts';
import { shortestMs } from './shortest.ts';

const der = Buffer.from('30820100', 'hex');
const pem = wrapPem('CERTIFICATE', der);
const read = (text: string | Buffer): PemBlock[] => readPem(Buffer.from(text as string));

describe('PEM as people save it', () => {
  test.each([
    ['LF', pem],
    ['CRLF', pem.replaceAll('\n', '\r\n')],
    ['CR alone', pem.replaceAll('\n', '\r')],
    ['no line end at the end', pem.trimEnd()],
    ['a byte-order mark', `\ufeff${pem}`],
    ['indentation and trailing spaces', pem.replaceAll(/^/gm, '    ').replaceAll('\n', '  \n')],
    ['text before, as openssl writes it', `subject=CN = x\nBag Attributes: 1\n-- \n${pem}more\n`],
    ['short lines', pem.replace('MIIBAA==', 'MII\nBAA\n==')],
  ])('%s is read', (_what, text) => {
    const blocks = read(text);
    expect(blocks.map(({ label }) => label)).toEqual(['CERTIFICATE']);
    expect(blocks[0]!.der.equals(der)).toBe(true);
  });

  test('several blocks are read in order, a byte-order mark before each', () => {
    const blocks = read(`\ufeff${pem}\n\ufeff${pem}${wrapPem('PUBLIC KEY', der)}`);
    expect(blocks.map(({ label }) => label)).toEqual(['CERTIFICATE', 'CERTIFICATE', 'PUBLIC KEY']);
  });

  test.each(['\n', '\r\n', '\r'])('header lines of the old form are told apart from the body, line end %j', (end) => {
    const head = ['-----BEGIN RSA PRIVATE KEY-----', 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: DES-CBC,00', ''];
    const [block] = read([...head, 'MIIB', '-----END RSA PRIVATE KEY-----'].join(end));
    expect([...block!.headers]).toEqual([
      ['Proc-Type', '4,ENCRYPTED'],
      ['DEK-Info', 'DES-CBC,00'],
    ]);
    expect(block!.der.toString('hex')).toBe('308201');
  });

  test('text without a block gives none', () => {
    expect(read('hello\n--\n-----\n')).toEqual([]);
    expect(read('')).toEqual([]);
  });
});

describe('damaged PEM is refused, and the message shows nothing of it', () => {
  const key = (body: string) => `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
  test.each([
    ['a foreign character', key('SECRETSECRET*AAA')],
    ['padding in the middle', key('SECR==TT')],
    ['a missing character', key('SECRETS')],
    ['bits behind the end', key('SECRETR=')],
    ['an empty body', key('')],
    ['no END line', key('SECRETSECRET').replace(/-----END.*/, '')],
    ['another END line', key('SECRETSECRET').replace('END PRIVATE', 'END PUBLIC')],
    ['a second BEGIN line', key('SECRETSECRET').replace('-----END', '-----BEGIN')],
  ])('%s', (_what, text) => {
    const error = refusal('key_unreadable', () => read(text));
    expect(JSON.stringify([error.message, error.fix, error.facts, error.stack])).not.toContain('SECR');
    expect(error.cause).toBeUndefined();
  });

  test('a damaged certificate has the code of certificates', () => {
    refusal('certificate_unreadable', () => read(pem.replace('MII', 'M*I')));
  });

  test('a file with written-out line ends is told what is wrong with it', () => {
    const error = refusal('invalid_input', () => read(pem.replaceAll('\n', '\\n')));
    expect(error.fix).toContain('backslash');
  });

  test.each([
    ['UTF-16 with its mark', Buffer.from(`\ufeff${pem}`, 'utf16le')],
    ['UTF-16, big-endian', Buffer.from(`\ufeff${pem}`, 'utf16le').swap16()],
    ['UTF-16 without a mark', Buffer.from(pem, 'utf16le')],
    ['binary data', Buffer.from([1, 0, 2])],
  ])('%s is refused with the reason', (_what, text) => {
    expect(refusal('invalid_input', () => readPem(text)).message).toContain('UTF-16');
  });
});

describe('caps and time (C3)', () => {
  test('a block, a text and a number of blocks beyond the caps are refused', () => {
    refusal('payload_too_large', () => read(wrapPem('CERTIFICATE', randomBytes(50 * 1024))));
    refusal('payload_too_large', () => read(' '.repeat(256 * 1024 + 1)));
    refusal('payload_too_large', () => read(pem.repeat(65)));
  });

  test('a block and a text just within the caps are read', () => {
    expect(read(wrapPem('CERTIFICATE', randomBytes(48_000)))).toHaveLength(1);
    expect(read(pem.repeat(64))).toHaveLength(64);
  });

  test.each([
    ['BEGIN without an end', '-----BEGIN '],
    ['BEGIN lines', '-----BEGIN CERTIFICATE-----\n'],
    ['END lines', '-----END CERTIFICATE-----\n'],
    ['dashes', '-'],
    ['dashes and line ends', '-\n'],
    ['line ends', '\n'],
    ['spaces', ' '],
    ['spaces and dashes', ' -----\n'],
  ])('a MiB of %s is refused in under 10 ms, 64 KiB of it read or refused in under 50', (_what, part) => {
    const text = Buffer.alloc(1024 * 1024, part);
    expect(shortestMs(() => refusal('payload_too_large', () => readPem(text)))).toBeLessThan(10);
    expect(shortestMs(() => orRefused(() => readPem(text.subarray(0, 64 * 1024))))).toBeLessThan(50);
  });

  test('headers without end are refused', () => {
    const text = `-----BEGIN RSA PRIVATE KEY-----\n${'A: b\n'.repeat(1000)}`;
    refusal('key_unreadable', () => read(text));
  });
});

describe('whatever comes in', () => {
  test('what is wrapped is read again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (octets) => {
        const [block] = read(wrapPem('X509 CRL', octets));
        expect(block!.der.equals(Buffer.from(octets))).toBe(true);
      }),
    );
  });

  test('any octets and any mixture of PEM-like parts are read or refused, nothing else', () => {
    const part = fc.constantFrom(
      '-----BEGIN ',
      '-----END ',
      '-----',
      'CERTIFICATE',
      'PRIVATE KEY',
      '\n',
      '\r',
      ': ',
      'QUJD',
      '=',
      ' ',
      '\ufeff',
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void orRefused(() => readPem(Buffer.from(octets)))),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => void orRefused(() => read(parts.join('')))),
      { numRuns: 20_000 },
    );
  });

  test('base64 agrees with the runtime on everything it accepts', () => {
    const character = fc.constantFrom('A', 'B', 'a', 'b', '0', '1', '+', '/', '=', ' ', '\n');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 24 }), (text) => {
        const decoded = decodeBase64(Buffer.from(text));
        const squeezed = text.replaceAll(/\s/g, '');
        const canonical = Buffer.from(squeezed, 'base64').toString('base64') === squeezed;
        expect(decoded === null).toBe(!canonical);
        if (decoded !== null) expect(decoded.toString('base64')).toBe(squeezed);
      }),
      { numRuns: 20_000 },
    );
  });
});

test('a private key is written as PEM bytes, line by line as others write it', () => {
  for (const size of [1, 2, 3, 47, 48, 49, 96, 121]) {
    const octets = randomBytes(size);
    const expected = wrapPem('PRIVATE KEY', octets);
    expect(privateKeyPem(octets).toString()).toBe(expected);
    expect(expected.split('\n').every((line) => line.length <= 64)).toBe(true);
  }
});

test('wiped blocks hold zeros alone', () => {
  const blocks = read(pem);
  wipePem(blocks);
  expect(blocks[0]!.der.every((octet) => octet === 0)).toBe(true);
});
