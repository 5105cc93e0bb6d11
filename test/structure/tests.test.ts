import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withoutComments } from './source-file.ts';

const TEST = fileURLToPath(new URL('..', import.meta.url));

/** A test that does not run, or that alone runs, or that is meant to fail. */
const LEFT_OUT =
  /\b(?:test|it|describe|suite|bench)(?:\.\w+)*\.(?:skip|only|todo|skipIf|runIf|fails)\b|\b(?:context|ctx)\.skip\(|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(/;

test('no test is left out, focused, promised or expected to fail', () => {
  const found = globSync('**/*.ts', { cwd: TEST }).filter((path) =>
    LEFT_OUT.test(withoutComments(readFileSync(join(TEST, path), 'utf8'))),
  );
  expect(found).toEqual([]);
});

test('the ways to leave a test out are known', () => {
  const ways = ['skip', 'only', 'todo', 'skipIf(x)', 'runIf(x)', 'concurrent.skip', 'fails'];
  for (const way of ways) expect(`test.${way}('a')`).toMatch(LEFT_OUT);
  for (const word of ['describe', 'it', 'suite']) expect([word, 'skip'].join('.')).toMatch(LEFT_OUT);
  expect(['x', 'it('].join('')).toMatch(LEFT_OUT);
  expect('test.each([1])').not.toMatch(LEFT_OUT);
});
