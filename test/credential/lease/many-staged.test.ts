import { afterEach, expect, test } from 'vitest';
import { Stage } from '../stage.ts';

let stage: Stage;
afterEach(() => stage.strike());

test('the current version is lent however many are staged before it', async () => {
  stage = await Stage.set();
  const payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
  const { ledger } = stage.desk;
  const [row] = await ledger.find('versions', {});
  if (row === undefined) throw new Error('Nothing was imported.');
  const { credential, version } = row;
  const set = { state: 'previous', record: 'versions/lean/sandbox/0', spki: '0'.repeat(64) } as const;
  const rows = Array.from({ length: 1_001 }, (_, at) => {
    const other = { ...row, version: at + 2, state: 'staged' } as const;
    return { ...other, record: `versions/lean/sandbox/${at + 2}`, spki: String(at + 1).padStart(64, '0') };
  });
  await ledger.commit({
    writes: [
      { update: 'versions', where: { credential, version }, set, rows: 1 },
      ...rows.map((each) => ({ insert: 'versions', row: each }) as const),
      { insert: 'versions', row: { ...row, version: 2_000 } },
    ],
    entry: { kind: 'a.change', actor: 'system', data: {} },
  });
  expect(await stage.lease(payments)).toMatchObject({ status: 201, body: { version: 2_000 } });
});
