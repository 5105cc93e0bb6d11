import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stage } from '../credential/stage.ts';

let stage: Stage;
let text: string;
beforeAll(async () => {
  stage = await Stage.set();
  await stage.import();
  await stage.companion('canary-companion');
  const payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.lease(payments);
  await stage.lease(await stage.keyturn.token('service:stranger'));
  text = (await stage.keyturn.call('GET', '/metrics', { token: null })).text;
});
afterAll(() => stage.strike());

const SAMPLE = /^([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$/i;

test('is valid exposition: every sample has its help and type before it, and every line parses', () => {
  const types = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
    if (line.startsWith('#')) {
      expect(line).toMatch(/^# (HELP \S+ \S.*|TYPE \S+ (counter|gauge|histogram))$/);
      continue;
    }
    const name = SAMPLE.exec(line)?.[1];
    expect([line, name === undefined]).toEqual([line, false]);
    expect(types.has(name?.replace(/_(bucket|sum|count)$/, '') ?? '') || types.has(name ?? '')).toBe(true);
  }
});

test('names are ours, counters end in _total, times are in seconds', () => {
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  expect(types.length).toBeGreaterThan(8);
  for (const [, name = '', type] of types) {
    expect(name).toMatch(/^keyturn_[a-z_]+$/);
    expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|kb|mb)$/);
    if (type === 'counter') expect(name).toMatch(/_total$/);
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
  }
});

test('names no principal, no token, no secret', () => {
  for (const word of ['alice', 'payments', 'stranger', 'person:', 'service:', 'ktn_', 'canary', 'token_', 'PRIVATE']) {
    expect(text).not.toContain(word);
  }
});

test('tells what there is to tell', () => {
  const certificate = stage.clock.now() / 1000;
  const end = Number(
    /keyturn_credential_not_after_timestamp_seconds\{credential="lean\/sandbox",version="1",state="current"\} (\d+)/.exec(
      text,
    )?.[1],
  );
  expect(end).toBeGreaterThan(certificate);
  expect(text).toMatch(/keyturn_ledger_ready 1\b/);
  expect(text).toMatch(/keyturn_store_up\{store="file"\} 1\b/);
  expect(text).toMatch(/keyturn_access_total\{operation="grantLease",outcome="ok"\} 1\b/);
  expect(text).toMatch(/keyturn_access_total\{operation="grantLease",outcome="permission_denied"\} 1\b/);
  expect(text).toMatch(/keyturn_listener_not_after_timestamp_seconds \d{10}/);
});

test('a count goes on from scrape to scrape', async () => {
  const granted = async (): Promise<number> => {
    const { text: now } = await stage.keyturn.call('GET', '/metrics', { token: null });
    return Number(/keyturn_access_total\{operation="grantLease",outcome="ok"\} (\d+)/.exec(now)?.[1]);
  };
  const payments = await stage.keyturn.grant('service:payments', 'service');
  const before = await granted();
  for (let count = 0; count < 3; count += 1) await stage.lease(payments);
  expect(await granted()).toBe(before + 3);
  expect(await granted()).toBe(before + 3);
});

test('stay small however many credentials there are: what ends first has a series, all are counted', async () => {
  const [like] = await stage.desk.ledger.find('versions', {});
  if (like === undefined) throw new Error('no version');
  const names = Array.from({ length: 1_100 }, (_, at) => `many/c${at}`);
  await stage.desk.ledger.commit({
    writes: [
      ...names.map(
        (name) => ({ insert: 'credentials', row: { name, partner: 'many', environment: 'x', created_at: 1 } }) as const,
      ),
      ...names.map(
        (credential, at) =>
          ({
            insert: 'versions',
            row: { ...like, credential, spki: `s${at}`, record: `r${at}`, not_after: like.not_after + (at + 1) * 1000 },
          }) as const,
      ),
    ],
    entry: { kind: 'a.change', actor: 'system', data: {} },
  });
  const { text: now } = await stage.keyturn.call('GET', '/metrics', { token: null });
  const series = [...now.matchAll(/^keyturn_credential_not_after_timestamp_seconds\{credential="([^"]+)"/gm)];
  expect(series.map(([, name]) => name)).toEqual(['lean/sandbox', ...names.slice(0, 999)]);
  expect(now).toMatch(/^keyturn_credential_not_after_left_out 101$/m);
  expect(now).toMatch(/^keyturn_versions\{state="current"\} 1101$/m);
  expect(now).toMatch(/^keyturn_versions\{state="staged"\} 0$/m);
});

test('are there while the ledger is down, and say so', async () => {
  stage.breakLedger();
  await stage.companion('x');
  const down = await stage.keyturn.call('GET', '/metrics', { token: null });
  expect(down.status).toBe(200);
  expect(down.text).toMatch(/keyturn_ledger_ready 0\b/);
  expect(down.text).toContain('keyturn_credential_not_after_timestamp_seconds{');
  const ready = await stage.keyturn.call('GET', '/readyz', { token: null });
  expect(ready).toMatchObject({ status: 503, body: { ready: false } });
  expect(ready.text).not.toContain(stage.keyturn.home);
});
