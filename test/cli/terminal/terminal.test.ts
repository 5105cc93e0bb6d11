import { open, readFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exitCodeOf } from '../../../src/cli/terminal/exit.ts';
import { facts, printable, Terminal, table } from '../../../src/cli/terminal/terminal.ts';
import { KeyturnError } from '../../../src/core/errors.ts';

function terminal(json: boolean) {
  const written = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString('utf8');
        done();
      },
    });
  return { written, shown: new Terminal({ json, out: into('out'), err: into('err') }) };
}

test('people get lines and advice, programs one document', () => {
  const people = terminal(false);
  people.shown.result({ a: 1 }, ['one', 'two']);
  people.shown.note('advice');
  people.shown.warn('careful');
  expect(people.written.out).toBe('one\ntwo\n');
  expect(people.written.err).toMatch(/^advice\n.*warning.* careful\n$/);
  const programs = terminal(true);
  programs.shown.result({ a: 1 }, ['one', 'two']);
  programs.shown.note('advice');
  programs.shown.warn('careful');
  expect(programs.written).toEqual({ out: '{\n  "a": 1\n}\n', err: '' });
});

test('an error tells what, code and what to do; of an unknown one nothing but where it came from', () => {
  const { shown, written } = terminal(false);
  expect(shown.fail(new KeyturnError('not_found', 'There is none.', { fix: 'Make one.' }))).toBe(4);
  expect(written.err).toMatch(/error.* There is none\. \[not_found\]\n {2}fix: Make one\.\n$/);
  const inside = terminal(false);
  expect(inside.shown.fail(new TypeError('quotes a secret'))).toBe(1);
  expect(inside.written.err).toContain('[internal]');
  expect(inside.written.err).not.toContain('quotes a secret');
});

test('what the system refuses is named with its reason, and is no fault of ours', async () => {
  const { shown, written } = terminal(false);
  const missing = await readFile('/nowhere/at-all').catch((error: unknown) => error);
  expect(shown.fail(missing)).toBe(1);
  expect(written.err).toContain('The system refused /nowhere/at-all (there is no such file).');
  expect(written.err).toMatch(/\n {2}fix: \S/);
  expect(written.err).not.toContain('unexpected');
  const full = await openedFull();
  const programs = terminal(true);
  programs.shown.fail(full);
  expect(JSON.parse(programs.written.err)).toMatchObject({
    error: { message: expect.stringContaining('disk is full') },
  });
});

async function openedFull(): Promise<unknown> {
  await using device = await open('/dev/full', 'w');
  return device.writeFile('x').catch((error: unknown) => error);
}

test('codes without a place of their own are failures', () => {
  expect([exitCodeOf('internal'), exitCodeOf('key_mismatch'), exitCodeOf('held')]).toEqual([1, 1, 3]);
});

test('no text from elsewhere moves the cursor, rings or reorders a line', () => {
  expect(printable('a\u001b[2Jb\u202ec\u0007\r')).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{7}\\u{d}');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text)).not.toMatch(/(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('columns are as wide as their widest cell, and an empty table is a sentence', () => {
  expect(
    table(
      ['a', 'long title'],
      [
        ['one', 'x'],
        ['three', ''],
      ],
      'None.',
    ),
  ).toEqual(['A      LONG TITLE', 'one    x', 'three']);
  expect(table(['a'], [], 'None.')).toEqual(['None.']);
  expect(
    facts([
      ['a', 1],
      ['long', null],
    ]),
  ).toEqual(['a     1', 'long  -']);
});
