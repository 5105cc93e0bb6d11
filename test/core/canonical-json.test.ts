import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, type JsonValue } from '../../src/core/canonical-json.ts';
import { isKeyturnError } from '../../src/core/errors.ts';

/** Any JSON value, numbers and strings at their edges included; parsed once, since -0 has the JSON form of 0. */
const anyJson = fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);

function refuses(value: unknown): void {
  try {
    canonicalJson(value as JsonValue);
  } catch (error) {
    expect(isKeyturnError(error, 'invalid_input')).toBe(true);
    return;
  }
  expect.unreachable();
}

describe('the examples of RFC 8785', () => {
  test('section 3.2.2: literals, numbers and strings', () => {
    const value = JSON.parse(`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
      "literals": [null, true, false]
    }`) as JsonValue;
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('section 3.2.3: members are sorted by UTF-16 code units, not by code points', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    const order = [...canonicalJson(value).matchAll(/":"([^"]+)"/g)].map((match) => match[1]);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  // Appendix B: IEEE 754 double in hexadecimal, and its JSON form.
  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('appendix B: %s is %s', (hex, text) => {
    expect(canonicalJson(Buffer.from(hex, 'hex').readDoubleBE())).toBe(text);
  });

  test('appendix B: NaN and infinities are refused', () => {
    for (const hex of ['7fffffffffffffff', '7ff0000000000000']) refuses(Buffer.from(hex, 'hex').readDoubleBE());
  });
});

test('what is written parses to the same value, and is written the same again', () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      fc.pre(JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/i.test(JSON.stringify(value)));
      const text = canonicalJson(value);
      expect(JSON.parse(text)).toEqual(value);
      expect(canonicalJson(JSON.parse(text) as JsonValue)).toBe(text);
    }),
  );
});

test('the order in which members were set does not show', () => {
  const members = fc.uniqueArray(fc.tuple(fc.string(), fc.integer()), { selector: ([name]) => name });
  fc.assert(
    fc.property(members, (list) => {
      expect(canonicalJson(Object.fromEntries(list))).toBe(canonicalJson(Object.fromEntries(list.toReversed())));
    }),
  );
});

test('a member named __proto__ is a member like any other', () => {
  const text = '{"__proto__":{"a":1},"b":2}';
  expect(canonicalJson(JSON.parse(text) as JsonValue)).toBe(text);
});

test.each([
  ['a lone high surrogate', '\ud83d'],
  ['a lone low surrogate', '\ude00'],
  ['a member name with half a pair', { '\ud83d': 1 }],
  ['undefined', undefined],
  ['an undefined member', { a: undefined }],
  ['an undefined item', [undefined]],
  ['a bigint', 1n],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
])('%s has no canonical form', (_, value) => refuses(value));
