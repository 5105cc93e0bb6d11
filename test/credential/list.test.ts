import { afterEach, beforeEach, expect, test } from 'vitest';
import { everyCredential } from '../../src/cli/api/every-credential.ts';
import { everyPage } from '../../src/cli/api/every-page.ts';
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

test('holds are listed a page at a time, those that the caller may see alone; credentials show their own', async () => {
  const token = await stage.keyturn.grant('person:bob', 'auditor', { credentials: ['lean/*'] });
  const hold = { reason: 'x', placed_by: 'person:alice', placed_at: 1, thaw_asked_by: null, thaw_asked_at: null };
  const id = (n: number) => `hold_${String(n).padStart(8, '0')}`;
  const subjects = Array.from({ length: 2_400 }, (_, at) =>
    at % 2 === 0 ? `another/c${at % OTHERS}` : `lean/c${String(at % OWN).padStart(5, '0')}`,
  );
  await stage.desk.ledger.commit({
    writes: subjects.map((subject, at) => ({
      insert: 'holds',
      row: { ...hold, id: id(at), target: 'credential', subject, lifted_by: null, lifted_at: null },
    })),
    entry: { kind: 'a.change', actor: 'system', data: {} },
  });
  const call = async ({ method, path }: { method: string; path: string }) =>
    (await stage.keyturn.call(method, path, { token })).body;
  const first = await call({ method: 'GET', path: '/v1/holds?limit=10' });
  expect(first).toMatchObject({ next: id(19) });
  const all = await everyPage<{ subject: string }>({ call }, '/v1/holds', 500);
  expect(all).toHaveLength(1_200);
  expect(all.every(({ subject }) => subject.startsWith('lean/'))).toBe(true);
  const { body } = await stage.keyturn.call('GET', '/v1/credentials?limit=2', { token });
  const frozen = subjects.includes('lean/c00000');
  expect((body['items'] as { frozen: boolean }[]).map((item) => item.frozen)).toEqual([
    frozen,
    subjects.includes('lean/c00001'),
  ]);
  // All of them stop something after a start, past the first page too.
  await stage.keyturn.restart();
  expect(stage.keyturn.serving.instance.desk.holds.has(id(2_399))).toBe(true);
});
