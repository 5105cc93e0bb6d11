import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leafHash } from '../../src/audit/merkle.ts';
import { MAX_ENTRY_BYTES, MAX_ENTRY_DEPTH, parseEntry, recordEntry } from '../../src/audit/recorded.ts';
import type { JsonObject } from '../../src/core/canonical-json.ts';
import { canonicalJson } from '../../src/core/canonical-json.ts';
import { codeOf, draft, START } from './log.ts';

const VALID = {
  v: 1,
  index: 3,
  time: '2026-11-23T10:00:00.000Z',
  kind: 'lease.granted',
  actor: 'service:payments',
  credential: 'lean/sandbox',
  version: 2,
  request: 'request_1',
  data: { lease: 'lease_1' },
};

function without(member: string): JsonObject {
  return Object.fromEntries(Object.entries(VALID).filter(([name]) => name !== member)) as JsonObject;
}

function nested(depth: number): string {
  return `${'['.repeat(depth)}${']'.repeat(depth)}`;
}

test('a draft is recorded as canonical JSON whose octets are the leaf', () => {
  const { entry, json, leafHash: hash } = recordEntry(draft(3), 3, START + 1);
  expect(json).toBe(
    '{"actor":"service:payments","credential":"lean/sandbox","data":{"lease":"lease_3","note":"plain"},' +
      '"index":3,"kind":"lease.granted","time":"2026-11-23T10:00:00.001Z","v":1,"version":1}',
  );
  expect(hash).toEqual(leafHash(Buffer.from(json, 'utf8')));
  expect(parseEntry(json)).toEqual(entry);
});

test('what is absent from a draft is absent from the entry', () => {
  const { json } = recordEntry({ kind: 'log.started', actor: 'system', data: {} }, 0, START);
  expect(json).toBe(
    '{"actor":"system","data":{},"index":0,"kind":"log.started","time":"2026-11-23T10:00:00.000Z","v":1}',
  );
});

test('every entry that can be recorded reads back as itself', () => {
  const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
  const drafts = fc.record(
    {
      kind: fc.constantFrom('a.b', 'version.import-intended'),
      actor: name,
      credential: name,
      version: fc.integer({ min: 1 }),
    },
    { requiredKeys: ['kind', 'actor'] },
  );
  fc.assert(
    fc.property(drafts, fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), fc.nat(), (item, data, index) => {
      // Through JSON once: negative zero and the like are not what a feature can hand in.
      const facts = JSON.parse(JSON.stringify(data)) as JsonObject;
      const recorded = recordEntry({ ...item, data: facts }, index, START);
      expect(canonicalJson({ ...parseEntry(recorded.json) })).toBe(recorded.json);
    }),
  );
});

describe('a draft cannot be recorded', () => {
  test.each([
    ['with a kind that is not noun.participle', { kind: 'granted' }],
    ['with a kind in capitals', { kind: 'Lease.granted' }],
    ['without an actor', { actor: '' }],
    ['with a line feed in the actor', { actor: 'a\nb' }],
    ['with version 0', { version: 0 }],
    ['with a fraction for a version', { version: 1.5 }],
    ['over 64 KiB', { data: { text: 'x'.repeat(MAX_ENTRY_BYTES) } }],
    ['over 64 KiB in octets alone', { data: { text: '✓'.repeat(MAX_ENTRY_BYTES / 2) } }],
    ['with a number that is not finite', { data: { seconds: Number.NaN } }],
    ['nested too deeply', { data: { list: JSON.parse(nested(MAX_ENTRY_DEPTH)) } }],
  ])('%s', (_, part) => {
    expect(codeOf(() => recordEntry({ ...draft(0), ...part }, 0, START))).toBe('invalid_input');
  });

  test('at an index that is none', () => {
    for (const index of [-1, 0.5, 2 ** 53])
      expect(codeOf(() => recordEntry(draft(0), index, START))).toBe('invalid_input');
  });
});

describe('a text is refused as an entry', () => {
  const canonical = canonicalJson(VALID);
  test('but the valid one is not', () => expect(parseEntry(canonical)).toEqual(VALID));

  test.each(['v', 'index', 'time', 'kind', 'actor', 'data'])('without %s', (member) => {
    expect(codeOf(() => parseEntry(canonicalJson(without(member))))).toBe('audit_invalid');
  });

  test.each([
    ['of a later envelope version', { v: 2 }],
    ['with an unknown member', { extra: 1 }],
    ['with an index in quotes', { index: '3' }],
    ['with an index below zero', { index: -1 }],
    ['with a time without milliseconds', { time: '2026-11-23T10:00:00Z' }],
    ['on the 30th of February', { time: '2026-02-30T10:00:00.000Z' }],
    ['at 25 o’clock', { time: '2026-11-23T25:00:00.000Z' }],
    ['with a list for data', { data: [] }],
    ['with null for data', { data: null }],
    ['with null for the credential', { credential: null }],
    ['with an empty request', { request: '' }],
  ])('%s', (_, part) => {
    expect(codeOf(() => parseEntry(canonicalJson({ ...VALID, ...part } as JsonObject)))).toBe('audit_invalid');
  });

  test.each([
    ['with white space', canonical.replace('{', '{ ')],
    ['with members in another order', JSON.stringify(VALID)],
    ['with a member twice', canonical.replace('{', '{"actor":"service:other",')],
    ['with an escape that is not needed', canonical.replace('lean/sandbox', 'lean\\/sandbox')],
    ['with a byte order mark', `\ufeff${canonical}`],
    ['with another way to write a number', canonical.replace('"index":3', '"index":3.0')],
    ['with half of a surrogate pair', canonical.replace('lease_1', '\\ud800')],
    ['with something behind it', `${canonical}\n`],
    ['cut short', canonical.slice(0, -1)],
    ['that is a list', '[]'],
    ['that is null', 'null'],
    ['that is empty', ''],
  ])('%s', (_, text) => expect(codeOf(() => parseEntry(text))).toBe('audit_invalid'));

  test('nested thirty thousand deep, without exhausting the stack', () => {
    const text = canonical.replace('{"lease":"lease_1"}', nested(30_000));
    expect(codeOf(() => parseEntry(text))).toBe('audit_invalid');
  });

  test('of a megabyte, before it is parsed', () => {
    expect(codeOf(() => parseEntry(`"${'x'.repeat(1_000_000)}"`))).toBe('audit_invalid');
  });
});

test('brackets inside strings are not nesting', () => {
  const text = '[{"\\'.repeat(100);
  expect(parseEntry(recordEntry({ ...draft(0), data: { text } }, 0, START).json).data).toEqual({ text });
});

test('made-up texts are refused, and nothing else happens', () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constant(canonicalJson(VALID)).map((json) => json.slice(1)),
  );
  fc.assert(fc.property(text, (json) => codeOf(() => parseEntry(json)) === 'audit_invalid'));
});

test('a member named __proto__ stays a fact', () => {
  const data = JSON.parse('{"__proto__":{"admin":true}}') as JsonObject;
  const { json } = recordEntry({ ...draft(0), data }, 0, START);
  expect(json).toContain('"data":{"__proto__":{"admin":true}}');
  expect(canonicalJson({ ...parseEntry(json) })).toBe(json);
});

test('no refusal quotes the text', () => {
  try {
    parseEntry('{"canary": canary}');
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('canary');
    expect((error as Error).cause).toBeUndefined();
  }
});
