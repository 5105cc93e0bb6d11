import { expect, it, vi } from 'vitest';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { OpenedSecretIds } from '../../../../src/keystore/vault/login/opened-secret-ids.ts';

it('a wrapping token is opened once, for all who have it, wherever it lies', async () => {
  const opened = new OpenedSecretIds();
  const open = vi.fn(async () => 'secret-id');
  const asked = [opened.of('a', '/one', 'token', open), opened.of('a', '/two', 'token', open)];
  expect(await Promise.all(asked)).toEqual(['secret-id', 'secret-id']);
  expect(await opened.of('a', '/one', 'token', open)).toBe('secret-id');
  expect(open).toHaveBeenCalledOnce();
  expect(await opened.of('b', '/one', 'token', async () => 'of another server')).toBe('of another server');
  expect(await opened.of('b', '/two', 'token', async () => 'again')).toBe('of another server');
  expect(opened.size).toBe(2);
});

it('of each place the newest alone is kept, however often it is delivered anew, and the older ones are wiped', async () => {
  const own = vi.spyOn(SecretBytes, 'own');
  const opened = new OpenedSecretIds();
  for (let each = 0; each < 100; each += 1)
    await opened.of('a', '/one', `token ${each}`, async () => `secret-id ${each}`);
  await opened.of('a', '/two', 'another', async () => 'another');
  expect(opened.size).toBe(2);
  const held = own.mock.results.map(({ value }) => value as SecretBytes);
  expect(held.filter(({ disposed }) => !disposed).map(({ bytes }) => bytes.toString())).toEqual([
    'secret-id 99',
    'another',
  ]);
  own.mockRestore();
});

it('what is delivered for one server takes nothing from another that is given the same file', async () => {
  const opened = new OpenedSecretIds();
  const open = vi.fn(async () => 'secret-id');
  await opened.of('a', '/one', 'token', open);
  await opened.of('b', '/one', 'other token', async () => 'other');
  expect(await opened.of('a', '/one', 'token', open)).toBe('secret-id');
  expect(open).toHaveBeenCalledOnce();
});

it('whoever asked for one that is replaced meanwhile gets it all the same', async () => {
  const opened = new OpenedSecretIds();
  const { promise, resolve } = Promise.withResolvers<string>();
  const early = opened.of('a', '/one', 'first', () => promise);
  const late = opened.of('a', '/one', 'second', async () => 'second id');
  resolve('first id');
  expect(await Promise.all([early, late])).toEqual(['first id', 'second id']);
  expect(opened.size).toBe(1);
});

it('what failed may be asked again', async () => {
  const opened = new OpenedSecretIds();
  await expect(opened.of('a', '/one', 'token', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
  expect(opened.size).toBe(0);
  expect(await opened.of('a', '/one', 'token', async () => 'secret-id')).toBe('secret-id');
});

it('no wrapping token is kept in clear', async () => {
  const opened = new OpenedSecretIds();
  const set = vi.spyOn(Map.prototype, 'set');
  await opened.of('a', '/one', 'canary-token', async () => 'secret-id');
  const kept = JSON.stringify(set.mock.calls);
  set.mockRestore();
  expect(kept).toContain('/one');
  expect(kept).not.toContain('canary-token');
});
