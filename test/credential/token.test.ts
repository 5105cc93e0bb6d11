import { afterEach, beforeEach, expect, test } from 'vitest';
import { everyPage } from '../../src/cli/api/every-page.ts';
import { Stage } from './stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.strike());

const idOf = (token: string) => `token_${token.split('_')[1]}`;
const whoami = async (token: string) => (await stage.keyturn.call('GET', '/v1/whoami', { token })).status;

test('a token works until it is revoked, also after a restart, and its text is nowhere but in the one answer', async () => {
  const token = await stage.keyturn.token('service:payments');
  expect(await whoami(token)).toBe(200);
  await stage.keyturn.restart();
  expect(await whoami(token)).toBe(200);
  expect(await stage.keyturn.call('DELETE', `/v1/tokens/${idOf(token)}`)).toMatchObject({ status: 204 });
  expect(await whoami(token)).toBe(401);
  await stage.keyturn.restart();
  expect(await whoami(token)).toBe(401);
  const secret = token.split('_')[2] ?? '';
  const listed = await stage.keyturn.call('GET', '/v1/tokens');
  const all = (await stage.desk.ledger.entries({ limit: 1_000 })).map(({ json }) => json).join('');
  for (const text of [listed.text, all, stage.keyturn.log.join('')]) expect(text).not.toContain(secret);
  expect(listed.text).not.toContain('hash');
});

test('revoking twice, or what is not there, is told', async () => {
  const token = await stage.keyturn.token('service:payments');
  const path = `/v1/tokens/${idOf(token)}`;
  expect((await stage.keyturn.call('DELETE', path)).status).toBe(204);
  expect((await stage.keyturn.call('DELETE', path)).status).toBe(409);
  expect((await stage.keyturn.call('DELETE', `/v1/tokens/token_${'0'.repeat(32)}`)).status).toBe(404);
});

test.each([
  ['a life of a second', { ttlSeconds: 1 }],
  ['a life of ten years', { ttlSeconds: 3_650 * 86_400 }],
  ['no comment', { comment: '  ' }],
  ['a principal in capitals', { principal: 'service:Payments' }],
  ['a principal that is a pattern', { principal: 'service:*' }],
  ['a principal with a space behind', { principal: 'service:payments ' }],
])('%s is refused', async (_what, wrong) => {
  const json = { principal: 'service:payments', ttlSeconds: 60, comment: 'x', ...wrong };
  expect(await stage.post('/v1/tokens', { json })).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
});

test('more than a thousand tokens are listed a page at a time, and whole in the end', async () => {
  const [like] = await stage.desk.ledger.find('tokens', {});
  if (like === undefined) throw new Error('no token');
  const id = (n: number) => `token_${n.toString(16).padStart(32, '0')}`;
  const hash = (n: number) => n.toString(16).padStart(64, '0');
  const writes = Array.from({ length: 1_100 }, (_, n) => ({
    insert: 'tokens' as const,
    row: { ...like, id: id(n), hash: hash(n) },
  }));
  await stage.desk.ledger.commit({ writes, entry: { kind: 'test.made', actor: 'system', data: {} } });
  const { body } = await stage.keyturn.call('GET', '/v1/tokens');
  expect(body['items']).toHaveLength(1_000);
  const call = async ({ method, path }: { method: string; path: string }) =>
    (await stage.keyturn.call(method, path)).body;
  const all = await everyPage<{ id: string }>({ call }, '/v1/tokens', 400);
  expect(new Set(all.map((token) => token.id)).size).toBe(1_101);
  expect((await stage.keyturn.call('GET', '/v1/tokens?limit=1001')).status).toBe(400);
  // They are known after a start too, past the first page.
  await stage.keyturn.restart();
  expect(stage.keyturn.serving.instance.book.stands(id(1_099))).toBe(true);
});
