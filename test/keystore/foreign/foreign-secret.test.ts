import { expect, test, vi } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { ForeignSecret } from '../../../src/keystore/foreign/foreign-secret.ts';

const CANARY = 'canary-of-a-team-4f2a';

function secretOf(value: unknown): ForeignSecret {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return ForeignSecret.ofWhole('teams/lean', '1', SecretBytes.own(Buffer.from(text)));
}

function read(value: unknown, field: string): string {
  using secret = secretOf(value);
  return secret.octets(field).bytes.toString();
}

function refusal(value: unknown, field: string): string {
  try {
    read(value, field);
    return 'read';
  } catch (error) {
    const { code, message, fix } = error as { code: string; message: string; fix: string };
    return `${code}: ${message} ${fix}`;
  }
}

test('a field within fields is named by its path', () => {
  const secret = { tls: { key: 'k', cert: 'c', more: { deep: 'd' } }, other: 'o' };
  expect(read(secret, 'tls.key')).toBe('k');
  expect(read(secret, 'tls.more.deep')).toBe('d');
  expect(read(secret, 'other')).toBe('o');
});

test('a field that holds JSON as text is gone into as well, and is still a text itself', () => {
  const inner = JSON.stringify({ tls: { key: 'quoted "k"\n' } });
  expect(read({ value: inner }, 'value.tls.key')).toBe('quoted "k"\n');
  expect(read({ value: inner }, 'value')).toBe(inner);
});

test('a name with dots counts as it stands, before the path that it could be', () => {
  const kubernetes = { 'tls.key': 'k', 'tls.crt': 'c' };
  expect(read(kubernetes, 'tls.key')).toBe('k');
  expect(read({ tls: { key: 'path' }, 'tls.key': 'name' }, 'tls.key')).toBe('name');
  expect(read({ 'tls.key': 'name', tls: { key: 'path' } }, 'tls.key')).toBe('name');
  expect(read({ prod: kubernetes }, 'prod.tls.key')).toBe('k');
});

test('a path that leads to two places leads nowhere', () => {
  const secret = { a: { 'b.c': CANARY }, 'a.b': { c: CANARY } };
  expect(refusal(secret, 'a.b.c')).toMatch(/^not_found: .*more than one field/);
});

test('what is no text is told by what it is, with the paths that there are, and never with a value', () => {
  const secret = { tls: { key: CANARY, list: [CANARY], empty: '' }, number: 7, none: {} };
  const fields = 'Its fields: none, number, tls.empty, tls.key, tls.list.';
  for (const [field, says] of [
    ['tls', 'holds fields itself'],
    ['tls.list', 'empty or no text'],
    ['tls.empty', 'empty or no text'],
    ['number', 'empty or no text'],
    ['tls.cert', 'no field of that name'],
    ['tls.key.more', 'no field of that name'],
    ['none', 'holds fields itself'],
  ] as const) {
    expect(refusal(secret, field)).toBe(`not_found: ${message(says)} ${fields}`);
  }
});

function message(says: string): string {
  if (says === 'no field of that name') return 'teams/lean has no field of that name.';
  return `That field of teams/lean ${says === 'holds fields itself' ? says : `is ${says}`}.`;
}

test('a secret that is nested without end is gone into so far and no further', () => {
  const deep = `${'{"a":'.repeat(50)}"${CANARY}"${'}'.repeat(50)}`;
  expect(refusal(deep, 'a.a')).toContain('holds fields itself');
  expect(refusal(deep, Array(50).fill('a').join('.'))).toContain('not_found');
});

test('all of it is wiped when it is disposed of', () => {
  const secret = secretOf({ tls: { key: CANARY }, value: JSON.stringify({ key: CANARY }) });
  const held = ['tls.key', 'value', 'value.key'].map((field) => secret.octets(field).bytes);
  secret[Symbol.dispose]();
  for (const bytes of held) expect(bytes.every((octet) => octet === 0)).toBe(true);
});

test('what no path leads to, since two would or another is meant by it, is wiped as well', () => {
  const copied = vi.spyOn(SecretBytes, 'copyOf');
  const inner = { 'a.b': CANARY, a: { b: CANARY } };
  secretOf({ 'tls.key': CANARY, tls: { key: CANARY }, twice: inner, text: JSON.stringify(inner) })[Symbol.dispose]();
  const made = copied.mock.results.map(({ value }) => value as SecretBytes);
  copied.mockRestore();
  expect(made).toHaveLength(7);
  expect(made.filter(({ disposed }) => !disposed)).toEqual([]);
});
