import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { membersOf, textOf } from '../../../src/keystore/foreign/json-octets.ts';

/** What our reader makes of the text: names, with the text of those that are texts. */
function read(text: string): Record<string, string | null> | null {
  const octets = Buffer.from(text);
  const members = membersOf(octets);
  if (members === null) return null;
  return Object.fromEntries(
    [...members].map(([name, member]) => [name, textOf(octets, member)?.bytes.toString('utf8') ?? null]),
  );
}

const plain = fc.dictionary(
  fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__'),
  fc.jsonValue(),
);

test('of any JSON object it gives the names and texts that JSON.parse gives', () => {
  fc.assert(
    fc.property(plain, fc.constantFrom(undefined, 1, '\t'), (object, indent) => {
      const text = JSON.stringify(object, null, indent);
      const parsed = JSON.parse(text) as Record<string, unknown>;
      const expected = Object.fromEntries(
        Object.entries(parsed).map(([name, value]) => [name, typeof value === 'string' ? value : null]),
      );
      expect(read(text)).toEqual(expected);
    }),
  );
});

test('escapes of every kind, and characters of one to four octets, in whichever spelling', () => {
  const escaped = fc.string({ unit: 'binary' }).map((text) => ({
    text: Buffer.from(text).toString(),
    json: text
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  }));
  fc.assert(
    fc.property(escaped, ({ text, json }) => {
      if (/[\ud800-\udfff]/.test(text.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, '')) || text.includes('\ufffd'))
        return;
      expect(read(`{"a":"${json}"}`)).toEqual({ a: text });
    }),
  );
  expect(read('{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\udd11"}')).toEqual({ a: '"\\/\b\f\n\r\té€🔑' });
});

test('whatever the octets, it ends, and never takes for an object what JSON.parse does not take for JSON or an object', () => {
  const almost = fc.tuple(plain, fc.nat(), fc.nat({ max: 255 })).map(([object, at, octet]) => {
    const octets = Buffer.from(JSON.stringify(object));
    if (octets.length > 0) octets[at % octets.length] = octet;
    return octets;
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array().map((octets) => Buffer.from(octets)),
        almost,
      ),
      (octets) => {
        const members = membersOf(octets);
        for (const [, member] of members ?? []) {
          expect(member.from).toBeLessThan(member.to);
          expect(member.to).toBeLessThanOrEqual(octets.length);
          textOf(octets, member)?.dispose();
        }
      },
    ),
  );
});

describe('refused', () => {
  test.each([
    '',
    ' ',
    'null',
    '[]',
    '"a"',
    '{',
    '{"a"',
    '{"a":',
    '{"a":"b"',
    '{"a":"b",}',
    '{"a":"b"}x',
    '{a:1}',
    '{"a":"b" "c":1}',
    '{"a":"\\"}',
  ])('what is no object: %j', (text) => {
    expect(read(text)).toBeNull();
  });

  test('a name twice, however it is spelt: which of the two counts is a matter of opinion', () => {
    expect(read('{"a":"1","a":"2"}')).toBeNull();
    expect(read('{"a":"1","\\u0061":"2"}')).toBeNull();
  });

  test.each([
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
    '{"a":"\\ud800"}',
    '{"a":"\\udc00\\ud800"}',
    '{"a":"\\ud800\\n"}',
    '{"a":"b\u0001"}',
  ])('a text that is none: %j', (text) => {
    expect(read(text)).toEqual({ a: null });
  });
});
