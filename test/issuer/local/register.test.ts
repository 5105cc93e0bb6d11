import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openLocalIssuer } from '../../../src/issuer/local/local-issuer.ts';
import { signRevocationList, termOf } from '../../../src/issuer/local/revocation-list.ts';
import { signAuthority } from '../../../src/issuer/local/sign.ts';
import type { FindOptions } from '../../../src/ledger/ledger.ts';
import type { IssuedRow } from '../../../src/ledger/tables.ts';
import { typed } from '../../../src/x509/peculiar.ts';
import { newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { makeAuthorityHome } from '../../conformance/issuers/local.ts';

const DAY = 86_400_000;

let home: Awaited<ReturnType<typeof makeAuthorityHome>>;
let ahead = 0;
beforeEach(async () => {
  ahead = 0;
  home = await makeAuthorityHome({ ...systemClock, now: () => Date.now() + ahead });
});
afterEach(() => home.remove());

function revoked(serial: string): IssuedRow {
  const now = Date.now();
  const row = { issuer: 'internal', serial, generation: 1, spki: serial, credential: 'acme/test', issuance: serial };
  const times = { not_after: now + DAY, issued_at: now - DAY, revoked_at: now - 1000 };
  return { ...row, ...times, certificate: 'x'.repeat(1200), reason: 'superseded' };
}

test('a list of thousands is whole, and read a page at a time', async () => {
  const driver = openLocalIssuer({ name: 'internal', home });
  await driver.authority();
  const serials = Array.from({ length: 1600 }, (_, n) => (n + 0x10000).toString(16));
  await home.ledger.commit({
    writes: serials.map((serial) => ({ insert: 'issued', row: revoked(serial) })),
    entry: { kind: 'a.change', actor: 'system', data: {} },
  });
  const limits: number[] = [];
  const find = home.ledger.find.bind(home.ledger);
  home.ledger.find = async (table, where, options: FindOptions<typeof table> = {}) => {
    if (table === 'issued') limits.push(options.limit ?? 1000);
    return find(table, where, options);
  };
  // The first list, made with the authority, is past half of its time.
  ahead = DAY / 2;
  const { pem, number } = await driver.revocationList();
  expect(number).toBe(2);
  const listed = new typed.X509Crl(pem, { berOptions: { maxNodes: 1_000_000 } }).entries.map(({ serialNumber }) =>
    serialNumber.replace(/^0+/, ''),
  );
  expect(listed.toSorted()).toEqual(serials.toSorted());
  expect((await driver.revocationList()).number).toBe(2);
  expect(Math.max(...limits)).toBeLessThanOrEqual(1000);
});

test.each([Date.UTC(2026, 10, 26, 3, 4, 5), Date.UTC(2049, 11, 31, 12), Date.UTC(2051, 0, 2, 3, 4, 5)])(
  'when a list begins and ends is read as it was signed, from %d on',
  async (now) => {
    const key = (await newPrivateKey('EC P-256')).key;
    const authority = await signAuthority(key, 'A test', now);
    const pem = await signRevocationList({ key, authority }, [], { number: 1, now, seconds: 86_400 });
    expect(termOf(pem)).toEqual({ from: now, until: now + DAY });
  },
);
