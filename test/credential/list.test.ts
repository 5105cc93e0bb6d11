import { afterEach, beforeEach, expect, test } from 'vitest';
import { everyCredential } from '../../src/cli/api/every-credential.ts';
import { Stage } from './stage.ts';

/** More than are looked through at a time, and more than a page. */
const OTHERS = 1_100;
const OWN = 1_203;

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
  const names = [
    ...Array.from({ length: OTHERS }, (_, at) => `another/c${at}`),
    ...Array.from({ length: OWN }, (_, at) => `lean/c${String(at).padStart(5, '0')}`),
  ];
  await stage.desk.ledger.commit({
    writes: names.map((name) => ({
      insert: 'credentials',
      row: { name, partner: name.split('/')[0] ?? '', environment: 'sandbox', created_at: 1 },
    })),
    entry: { kind: 'a.change', actor: 'system', data: {} },
  });
});
afterEach(() => stage.strike());

test('a list is answered a page at a time, without those that the caller may not list, and whole in the end', async () => {
  const token = await stage.keyturn.grant('person:bob', 'auditor', { credentials: ['lean/*'] });
  const first = await stage.keyturn.call('GET', '/v1/credentials', { token });
  expect(first.body['items']).toHaveLength(100);
  expect(first.body['next']).toBe('lean/c00099');
  const sizes: number[] = [];
  const call = async ({ method, path }: { method: string; path: string }) => {
    const { body } = await stage.keyturn.call(method, path, { token });
    sizes.push((body['items'] as unknown[]).length);
    return body;
  };
  const all = await everyCredential({ call });
  expect(all.map(({ name }) => name)).toEqual(
    Array.from({ length: OWN }, (_, at) => `lean/c${String(at).padStart(5, '0')}`),
  );
  expect(sizes).toEqual([500, 500, 203]);
});

test('more than a page holds is refused', async () => {
  expect((await stage.keyturn.call('GET', '/v1/credentials?limit=501')).status).toBe(400);
});
