import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { request } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Stage } from '../../credential/stage.ts';
import { Watching } from '../../fakes/watching.ts';

let stage: Stage;
let payments: string;
let opened: Watching[] = [];

beforeEach(async () => {
  stage = await Stage.set();
  await stage.import();
  payments = await stage.keyturn.grant('service:payments', 'service', { credentials: ['lean/sandbox'] });
});
afterEach(async () => {
  for (const watching of opened) await watching[Symbol.asyncDispose]();
  opened = [];
  await stage.strike();
});

async function watch(token = payments, query = '', lastId?: string): Promise<Watching> {
  const url = `${stage.keyturn.url}/v1/watch${query}`;
  const watching = await Watching.open(url, {
    ca: await stage.keyturn.ca,
    token,
    ...(lastId === undefined ? {} : { lastId }),
  });
  opened.push(watching);
  return watching;
}

/** Something that every watcher hears, after which nothing that came before is missing. */
async function end(...watching: Watching[]): Promise<void> {
  await stage.keyturn.reload();
  for (const each of watching) await expect.poll(() => each.told.at(-1)).toBe('policy *');
}

describe('a watcher hears', () => {
  test('a promotion, a freeze, its thaw, a companion and a policy, with the index of the entry', async () => {
    const watching = await watch();
    expect(watching).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream' } });
    await stage.import();
    await stage.promote(2);
    const frozen = await stage.freeze('version', 'lean/sandbox', { version: 1 });
    const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
    await stage.post(`/v1/holds/${String(frozen.body['hold'])}/thaw`);
    await stage.post(`/v1/holds/${String(frozen.body['hold'])}/thaw`, { token: bob });
    await stage.companion('x');
    await end(watching);
    const told = watching.told.filter((text) => text !== 'policy *');
    // The freeze is told at once, before what came just before it, and again as an entry.
    expect(told.toSorted()).toEqual([
      'companion lean/sandbox',
      'frozen lean/sandbox@1',
      'frozen lean/sandbox@1',
      'promoted lean/sandbox@2',
      'thawed lean/sandbox@1',
    ]);
    const [promoted] = await stage.keyturn.entries('version.promoted');
    expect(watching.heard.find(({ type }) => type === 'promoted')?.id).toBe(String(promoted?.['index']));
  });

  test('nothing of credentials that it may not lease, or has not named', async () => {
    await stage.import('lean/production');
    const all = await stage.keyturn.grant('service:all', 'service', { credentials: ['**'] });
    const [own, every, named] = [await watch(), await watch(all), await watch(all, '?credential=lean%2Fsandbox')];
    await stage.freeze('credential', 'lean/production');
    await end(own, every, named);
    expect(own.told).not.toContain('frozen lean/production');
    expect(every.told).toContain('frozen lean/production');
    expect(named.told).not.toContain('frozen lean/production');
  });

  test('a freeze of its own principal, and of no other', async () => {
    const other = await stage.keyturn.grant('service:other', 'service');
    const [own, others] = [await watch(), await watch(other)];
    await stage.freeze('principal', 'service:payments');
    await end(others);
    await own.next(1);
    expect(own.told[0]).toBe('frozen *');
    expect(others.told.filter((text) => text.startsWith('frozen'))).toEqual([]);
  });

  test('a freeze of its own host, and of no other; of a store, that it had better ask', async () => {
    const watching = await watch();
    await stage.freeze('host', '203.0.113.7');
    await stage.freeze('store', 'file');
    await stage.freeze('host', '127.0.0.1');
    await end(watching);
    expect([...new Set(watching.told)].toSorted()).toEqual(['frozen *', 'policy *', 'resync *']);
    // At once, and as an entry: of the one host alone.
    expect(watching.told.filter((text) => text === 'frozen *')).toHaveLength(2);
  });

  test('a freeze while the ledger takes nothing', async () => {
    const watching = await watch();
    const release = stage.blockLedger();
    await stage.freeze('credential', 'lean/sandbox');
    expect(await watching.next(1)).toEqual(['frozen lean/sandbox']);
    release();
  });
});

test('what a ledger did not answer for a moment is told all the same, though nothing more happens', async () => {
  const watching = await watch();
  const { ledger } = stage.desk;
  const entries = ledger.entries.bind(ledger);
  let failures = 0;
  ledger.entries = async (query) => {
    if (failures > 0) return entries(query);
    failures += 1;
    throw new Error('the connection was lost');
  };
  await stage.companion('x');
  expect(await watching.next(1)).toEqual(['companion lean/sandbox']);
  expect(failures).toBe(1);
});

describe('a watch that was cut goes on where it was', () => {
  test('by its last event, nothing missed and nothing twice', async () => {
    const first = await watch();
    await stage.import();
    await stage.promote(2);
    await first.next(1);
    first.cut();
    await stage.promote(1);
    await stage.companion('x');
    const second = await watch(payments, '', first.lastId);
    await stage.promote(2);
    await end(second);
    expect(second.told.filter((text) => text !== 'policy *')).toEqual([
      'promoted lean/sandbox@1',
      'companion lean/sandbox',
      'promoted lean/sandbox@2',
    ]);
  });

  test('a race of changes and cuts loses none of them', async () => {
    await stage.import();
    let lastId: string | undefined;
    const told: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const watching = await watch(payments, '', lastId);
      const promotion = stage.promote(round % 2 === 0 ? 2 : 1);
      if (round % 3 === 0) watching.cut();
      await promotion;
      if (round % 3 !== 0) await watching.next(1);
      watching.cut();
      await watching.over;
      told.push(...watching.told);
      lastId = watching.lastId === '' ? lastId : watching.lastId;
    }
    const last = await watch(payments, '', lastId);
    await end(last);
    told.push(...last.told.filter((text) => text.startsWith('promoted')));
    const promoted = (await stage.keyturn.entries('version.promoted')).map(
      ({ version }) => `promoted lean/sandbox@${String(version)}`,
    );
    expect(told.filter((text) => text.startsWith('promoted'))).toEqual(promoted);
  });

  test('whoever missed too much is told to ask anew for all', async () => {
    const commits = Array.from({ length: 501 }, () =>
      stage.desk.ledger.commit({
        entry: { kind: 'companion.set', actor: 'system', credential: 'lean/sandbox', data: {} },
      }),
    );
    await Promise.all(commits);
    const watching = await watch(payments, '', '1');
    expect(await watching.next(1)).toEqual(['resync *']);
  });
});

test('whoever was told of entries that are not here, as after a restore, asks anew and goes on', async () => {
  const watching = await watch(payments, '', '5000');
  expect(await watching.next(1)).toEqual(['resync *']);
  await stage.companion('x');
  expect(await watching.next(2)).toEqual(['resync *', 'companion lean/sandbox']);
});

describe('a watch is refused or ended', () => {
  test('without a grant on a credential that it names, as a denial on the log', async () => {
    expect(await watch(payments, '?credential=lean%2Fproduction')).toMatchObject({ status: 403 });
    expect(await stage.keyturn.entries('access.denied')).toHaveLength(1);
  });

  test.each(['x', '-1', '1.5', '99999999999999999'])('with %s for the last event', async (lastId) => {
    expect(await watch(payments, '', lastId)).toMatchObject({ status: 400 });
  });

  test('when its token is revoked, at the next thing that happens', async () => {
    const watching = await watch();
    await stage.keyturn.call('DELETE', `/v1/tokens/token_${payments.split('_')[1]}`);
    await stage.companion('x');
    await watching.over;
    expect(stage.keyturn.serving.instance.watchers.count).toBe(0);
  });

  test('when the server stops, without waiting for it', async () => {
    const watching = await watch();
    const started = performance.now();
    await stage.keyturn.serving.stop();
    expect(performance.now() - started).toBeLessThan(5_000);
    await watching.over;
  });

  test('who has gone before the answer began is forgotten too', async () => {
    const { book, watchers } = stage.keyturn.serving.instance;
    const authenticate = book.authenticate.bind(book);
    const begun = Promise.withResolvers<ServerResponse>();
    const closed = begun.promise.then((response) => once(response, 'close'));
    book.authenticate = async (header, now) => closed.then(() => authenticate(header, now));
    const started = (message: unknown) => begun.resolve((message as { response: ServerResponse }).response);
    subscribe('http.server.request.start', started);
    const headers = { authorization: `Bearer ${payments}` };
    const sent = request(`${stage.keyturn.url}/v1/watch`, { ca: await stage.keyturn.ca, agent: false, headers });
    sent.on('error', () => undefined).end();
    const response = await begun.promise;
    unsubscribe('http.server.request.start', started);
    const watch = watchers.watch.bind(watchers);
    const watched = new Promise<void>((resolve) => {
      watchers.watch = (caller, wish) => {
        resolve();
        return watch(caller, wish);
      };
    });
    sent.destroy();
    await watched;
    expect(response.destroyed).toBe(true);
    await expect.poll(() => watchers.count).toBe(0);
  });

  test('who has gone is forgotten', async () => {
    const watching = await watch();
    expect(stage.keyturn.serving.instance.watchers.count).toBe(1);
    watching.cut();
    await expect.poll(() => stage.keyturn.serving.instance.watchers.count).toBe(0);
  });
});
