import { describe, expect, it } from 'vitest';
import { RowCache } from '../../../src/ledger/sqlite/row-cache.ts';
import type { VersionRow } from '../../../src/ledger/tables.ts';
import { change, credential, lease, version } from '../../conformance/ledger-rows.ts';

const PROMOTED = change('version.promoted', {
  writes: [{ update: 'versions', where: { credential: 'lean/sandbox' }, set: { state: 'previous' } }],
});
const LEASED = change('lease.granted', {
  writes: [{ insert: 'leases', row: lease('lease_1', version('lean/sandbox', 1)) }],
});

/** Counts how often the file was asked. */
function asking(rows: VersionRow[]) {
  const asked = { times: 0, rows };
  const read = async () => {
    asked.times += 1;
    return [...asked.rows];
  };
  return { asked, read };
}

function commit(cache: RowCache, changes = [PROMOTED]): void {
  cache.beingWritten(changes);
  cache.written();
}

describe('rows that are kept', () => {
  it('are read once, until their table is written to', async () => {
    const cache = new RowCache();
    const { asked, read } = asking([version('lean/sandbox', 1)]);
    for (let at = 0; at < 3; at += 1) expect(await cache.find('versions', 'q', read)).toEqual(asked.rows);
    commit(cache, [LEASED]);
    await cache.find('versions', 'q', read);
    expect(asked.times).toBe(1);
    asked.rows = [version('lean/sandbox', 2)];
    commit(cache);
    expect(await cache.find('versions', 'q', read)).toEqual(asked.rows);
    expect(asked.times).toBe(2);
  });

  it('stay until a batch is done, and are gone before anybody hears of it', async () => {
    const cache = new RowCache();
    const { asked, read } = asking([version('lean/sandbox', 1)]);
    await cache.find('versions', 'q', read);
    cache.beingWritten([PROMOTED]);
    await cache.find('versions', 'q', read);
    expect(asked.times).toBe(1);
    cache.written();
    await cache.find('versions', 'q', read);
    expect(asked.times).toBe(2);
  });

  it('are not kept when a write was done while they were read', async () => {
    const cache = new RowCache();
    const slow = Promise.withResolvers<VersionRow[]>();
    const first = cache.find('versions', 'q', () => slow.promise);
    commit(cache);
    slow.resolve([version('lean/sandbox', 1)]);
    await first;
    const { asked, read } = asking([version('lean/sandbox', 2)]);
    expect(await cache.find('versions', 'q', read)).toEqual(asked.rows);
  });

  it('are apart by question and by table', async () => {
    const cache = new RowCache();
    const { asked, read } = asking([version('lean/sandbox', 1)]);
    await cache.find('versions', 'q', read);
    await cache.find('versions', 'other', read);
    await cache.find('credentials', 'q', async () => [credential('lean/sandbox')]);
    expect(asked.times).toBe(2);
  });

  it('cannot be changed by whoever got them', async () => {
    const cache = new RowCache();
    const { asked, read } = asking([version('lean/sandbox', 1)]);
    const got = await cache.find('versions', 'q', read);
    expect(() => Object.assign(got[0]!, { state: 'current' })).toThrow(TypeError);
    got.pop();
    expect(await cache.find('versions', 'q', read)).toEqual(asked.rows);
  });

  it('are never leases, tokens or holds, nor long lists', async () => {
    const cache = new RowCache();
    let times = 0;
    const count = async () => {
      times += 1;
      return [];
    };
    for (const table of ['leases', 'tokens', 'holds'] as const) {
      for (const _ of [1, 2]) await cache.find(table, 'q', count);
    }
    expect(times).toBe(6);
    const { asked, read } = asking(Array.from({ length: 17 }, (_, at) => version('lean/sandbox', at + 1)));
    for (const _ of [1, 2]) await cache.find('versions', 'q', read);
    expect(asked.times).toBe(2);
  });

  it('are bounded in number: past it the file is asked, as without them', async () => {
    const cache = new RowCache();
    const { asked, read } = asking([version('lean/sandbox', 1)]);
    for (let at = 0; at < 2_500; at += 1) await cache.find('versions', `q ${at}`, read);
    await cache.find('versions', 'q 0', read);
    expect(asked.times).toBe(2_501);
    await cache.find('versions', 'q 2499', read);
    expect(asked.times).toBe(2_501);
  });
});
