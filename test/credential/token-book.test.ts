import { crc32 } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { newToken, parseToken } from '../../src/access/token.ts';
import { TokenBook } from '../../src/credential/token-book.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { TokenRow } from '../../src/ledger/tables.ts';

/** What the ledger holds, other servers' tokens too. */
let rows: TokenRow[];
let asked: string[];
let state: 'ready' | 'stalled';
let book: TokenBook;

beforeEach(async () => {
  rows = [];
  asked = [];
  state = 'ready';
  const ledger = {
    status: () => ({ state }),
    find: async (_table: string, where: { readonly id?: string | object }) => {
      asked.push(typeof where.id === 'string' ? where.id : 'all');
      return rows.filter(
        ({ id, revoked_at }) => revoked_at === null && (typeof where.id !== 'string' || where.id === id),
      );
    },
  } as unknown as Ledger;
  book = await TokenBook.load(ledger);
  asked = [];
});

/** A token that another server made, and its header. */
function made(more: Partial<TokenRow> = {}): { row: TokenRow; header: string } {
  const { id, token, hash } = newToken(0);
  const text = token.bytes.toString('ascii');
  token.dispose();
  const row: TokenRow = {
    id,
    principal: 'service:payments',
    hash,
    comment: 'x',
    created_by: 'person:alice',
    created_at: 0,
    expires_at: 1_000,
    revoked_at: null,
    ...more,
  };
  rows.push(row);
  return { row, header: `Bearer ${text}` };
}

const refused = { code: 'unauthenticated' };

test('a header that was let in is known again, in whatever case, and another one is not', async () => {
  const [one, other] = [made(), made({ principal: 'service:billing' })];
  for (const header of [one.header, one.header, one.header.replace('Bearer', 'bEARER')]) {
    expect(await book.authenticate(header, 0)).toMatchObject({ principal: { id: 'service:payments' } });
  }
  expect(await book.authenticate(other.header, 0)).toMatchObject({ principal: { id: 'service:billing' } });
  expect(asked).toEqual([one.row.id, other.row.id]);
  for (const wrong of [`${one.header} `, `${one.header.slice(0, -1)}`, one.row.id, '', undefined]) {
    await expect(book.authenticate(wrong, 0)).rejects.toMatchObject(refused);
  }
});

test('a wrong secret under the id of a token that is known is refused each time', async () => {
  const { row, header } = made();
  await book.authenticate(header, 0);
  const secret = made().header.slice(-'_12345678'.length - 43, -'_12345678'.length);
  const body = `ktn_${row.id.slice('token_'.length)}_${secret}`;
  const forged = `Bearer ${body}_${crc32(body).toString(16).padStart(8, '0')}`;
  expect(parseToken(forged)?.id).toBe(row.id);
  for (let times = 0; times < 3; times += 1) {
    await expect(book.authenticate(forged, 0)).rejects.toMatchObject(refused);
  }
  expect(await book.authenticate(header, 0)).toMatchObject({ token: { id: row.id } });
});

test('a known header does not outlive its token: ended, revoked here, or revoked by another server', async () => {
  const { row, header } = made();
  await book.authenticate(header, 0);
  await expect(book.authenticate(header, row.expires_at)).rejects.toMatchObject(refused);
  expect(await book.authenticate(header, row.expires_at - 1)).toMatchObject({ token: { id: row.id } });
  rows = [{ ...row, revoked_at: 5 }];
  book.put({ ...row, revoked_at: 5 });
  for (let times = 0; times < 3; times += 1) await expect(book.authenticate(header, 6)).rejects.toMatchObject(refused);
  state = 'stalled';
  await expect(book.authenticate(header, 6)).rejects.toMatchObject(refused);
});

test('a revocation that is heard of while the row is read is not undone by what was read', async () => {
  const { row, header } = made();
  const entering = book.authenticate(header, 0);
  rows = [];
  book.put({ ...row, revoked_at: 5 });
  await expect(entering).rejects.toMatchObject(refused);
  expect(book.stands(row.id)).toBe(false);
  await expect(book.authenticate(header, 6)).rejects.toMatchObject(refused);
});

test('while the ledger is down known tokens are let in, so that somebody can freeze', async () => {
  const { header } = made();
  await book.authenticate(header, 0);
  const unknown = made();
  state = 'stalled';
  expect(await book.authenticate(header, 0)).toBeDefined();
  await expect(book.authenticate(unknown.header, 0)).rejects.toMatchObject(refused);
});

test('however many headers were let in, each is still told from the others', async () => {
  const all = Array.from({ length: 4_100 }, () => made());
  for (const { row, header } of [...all, ...all.slice(0, 10)]) {
    expect((await book.authenticate(header, 0)).token.id).toBe(row.id);
  }
});
