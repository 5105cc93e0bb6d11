import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { parseJsonBody } from '../../../src/server/http/json-guard.ts';

function refusal(text: string | Buffer): string {
  try {
    parseJsonBody(Buffer.from(text));
  } catch (error) {
    if (isKeyturnError(error, 'invalid_input')) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const members = (count: number) => `{${Array.from({ length: count }, (_, n) => `"m${n}":1`).join(',')}}`;

describe('refused before JSON.parse sees it, in less than 50 ms', () => {
  test.each([
    ['a depth of 33', nested(33), /deeper/],
    ['a depth of 30,000', nested(30_000), /deeper/],
    ['10,001 members', members(10_001), /more than/],
    ['2,001 items', `[${'1,'.repeat(2_000)}1]`, /more than/],
    ['a member twice', '{"a":1,"a":2}', /twice/],
    ['a member twice, once escaped', '{"a":1,"\\u0061":2}', /twice/],
    ['a member twice, far from its colon', `{"a":1,"a"${' '.repeat(40)}:2}`, /twice/],
    ['a member twice deep inside', '{"x":[{"y":{"a":1,"a":2}}]}', /twice/],
    ['__proto__', '{"__proto__":{"admin":true}}', /forbidden/],
    ['__proto__, far from its colon', `{"__proto__"${'\t'.repeat(100)}\n:{"admin":true}}`, /forbidden/],
    ['__proto__, escaped', '{"\\u005f_proto__":1}', /forbidden/],
    ['constructor at any depth', '[{"a":{"constructor":{"prototype":1}}}]', /forbidden/],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), /UTF-8/],
    ['an open string', '{"a', /not valid/],
    ['a backslash at the end', '{"a\\', /not valid/],
    ['nothing', '', /not valid/],
    ['two texts', '{} {}', /not valid/],
    ['60 kB of backslashes', `"${'\\'.repeat(60_000)}`, /not valid/],
    ['60 kB of white space behind a name', `{"a"${' '.repeat(60_000)}`, /not valid/],
  ])('%s', (_what, text, message) => {
    const times = [1, 2, 3].map(() => {
      const started = performance.now();
      expect(refusal(text)).toMatch(message);
      return performance.now() - started;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });
});

test('no refusal quotes the body', () => {
  const secret = 'MIGHAgEAMBMGByqGSM49';
  for (const text of [secret, `{"${secret}":1,"${secret}":2}`, `{"key":"${secret}",}`, `"${secret}`]) {
    expect(refusal(text)).not.toContain(secret.slice(0, 5));
  }
});

test('brackets, commas and names within strings count for nothing', () => {
  const text = JSON.stringify({
    a: '[{'.repeat(100),
    b: '"__proto__":',
    c: ','.repeat(3_000),
    d: ['constructor', '__proto__'],
  });
  expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
});

test('whatever it takes is what JSON.parse takes, without a prototype member', () => {
  const value = fc.jsonValue({ maxDepth: 6 });
  fc.assert(
    fc.property(value, fc.constantFrom('', '\t', '  '), (json, indent) => {
      const text = JSON.stringify(json, null, indent);
      try {
        expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
      } catch (error) {
        expect(isKeyturnError(error, 'invalid_input')).toBe(true);
        expect(text).toMatch(/__proto__|constructor|prototype/);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('of any octets it makes a value or an invalid_input, nothing else', () => {
  const piece = fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', 'a', '1', ' ', 'null', '__proto__', '\u2028');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((all) => Buffer.from(all.join(''))),
        fc.uint8Array().map((all) => Buffer.from(all)),
      ),
      (bytes) => {
        try {
          parseJsonBody(bytes);
        } catch (error) {
          expect(isKeyturnError(error, 'invalid_input')).toBe(true);
        }
      },
    ),
    { numRuns: 5_000 },
  );
});
