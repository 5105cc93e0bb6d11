import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Keyturn, served } from '../keyturn.ts';

let keyturn: Keyturn;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, stop } = await served());
});

afterAll(() => stop());

interface Listed {
  readonly items: readonly { readonly id: string; readonly principal: string; readonly comment: string }[];
}

test('a token is written to a file of its own, serves its principal, and ends when it is revoked', async () => {
  const args = ['token', 'create', 'service:payments', '--out', 'pay', '--ttl', '1d', '--comment', 'staging'];
  const made = await keyturn.json<{ id: string; principal: string }>(args);
  expect(made).toMatchObject({ principal: 'service:payments', tokenFile: 'pay.token' });
  keyturn.guard(await readFile(keyturn.path('pay.token')));
  expect((await stat(keyturn.path('pay.token'))).mode & 0o777).toBe(0o600);

  const theirs = ['--connection', 'pay.connection.json', '--token-file', 'pay.token'];
  const { out } = await keyturn.run(['whoami', ...theirs]);
  expect(out).toMatch(/^principal +service:payments\ntoken +token_/);
  const { items } = await keyturn.json<Listed>(['token', 'list']);
  expect(items.map(({ principal, comment }) => [principal, comment])).toEqual([
    ['person:alice', 'first administrator, made by keyturn init'],
    ['service:payments', 'staging'],
  ]);
  expect(await keyturn.refusal(['token', 'list', ...theirs])).toMatchObject({ exit: 3, code: 'permission_denied' });

  expect(await keyturn.json(['token', 'revoke', made.id])).toEqual({ revoked: made.id });
  const refusal = await keyturn.refusal(['whoami', ...theirs]);
  expect(refusal).toMatchObject({ exit: 3, code: 'unauthenticated', fix: expect.stringContaining('token create') });
  expect(await keyturn.refusal(['token', 'revoke', made.id])).toMatchObject({
    exit: 5,
    code: 'conflict',
    message: expect.stringContaining('revoked already'),
  });
});

test('where a file is in the way no token is made, and nothing half is left', async () => {
  await keyturn.write('taken.connection.json', '{}');
  const before = await keyturn.json<Listed>(['token', 'list']);
  const refusal = await keyturn.refusal(['token', 'create', 'service:reports', '--out', 'taken']);
  expect(refusal).toMatchObject({ exit: 5, code: 'conflict' });
  expect(await keyturn.json(['token', 'list'])).toEqual(before);
  expect(existsSync(keyturn.path('taken.token'))).toBe(false);
});

test.each([
  ['a principal that is none', ['Payments']],
  ['a life that is none', ['service:payments', '--ttl', '90']],
])('%s is wrong usage', async (_, args) => {
  expect(await keyturn.refusal(['token', 'create', ...args])).toMatchObject({ exit: 2, code: 'invalid_input' });
});
