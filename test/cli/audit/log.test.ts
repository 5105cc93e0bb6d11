import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestInstance } from '../../e2e/instance.ts';
import { KEYTURN, type Keyturn, served } from '../keyturn.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
});

afterAll(() => stop());

interface Items {
  readonly items: readonly { readonly kind: string; readonly index: number }[];
}

test('tail shows the newest entries in their order, query those that were asked for', async () => {
  const { items } = await keyturn.json<Items>(['audit', 'tail', '--lines', '2']);
  expect(items.map(({ index, kind }) => [index, kind])).toEqual([
    [1, 'token.created'],
    [2, 'policy.loaded'],
  ]);
  const tail = await keyturn.run(['audit', 'tail']);
  expect(tail.out).toMatch(/^\S+Z {2}#0 {2}log\.started +system .*\n.*token\.created.*\n.*policy\.loaded.*\n$/);

  const queried = await keyturn.json<Items>(['audit', 'query', '--actor', 'system', '--newest', '--limit', '1']);
  expect(queried.items.map(({ index }) => index)).toEqual([2]);
  expect(await keyturn.run(['audit', 'query', '--kind', 'key.revealed'])).toMatchObject({
    code: 0,
    out: 'No such entries.\n',
  });
  expect(await keyturn.refusal(['audit', 'tail', '--lines', 'all'])).toMatchObject({ exit: 2, code: 'invalid_input' });
  expect(await keyturn.refusal(['audit', 'query', '--since', 'monday'])).toMatchObject({
    exit: 2,
    code: 'invalid_input',
  });
});

test('a query that shows a part of what it found says so, and how to go on, in either direction', async () => {
  interface Page extends Items {
    readonly next: number | null;
  }
  for (let more = 0; more < 3; more += 1) await instance.token('service:payments');
  const tokens = ['audit', 'query', '--kind', 'token.created'];
  const all = (await keyturn.json<Page>(tokens)).items.map(({ index }) => index);
  expect(all.length).toBeGreaterThan(3);
  for (const [direction, option, expected] of [
    [[], '--from', all],
    [['--newest'], '--to', all.toReversed()],
  ] as const) {
    const walked: number[] = [];
    let next: number | null = null;
    do {
      const place: string[] = next === null ? [] : [option, String(next)];
      const page: Page = await keyturn.json<Page>([...tokens, ...direction, '--limit', '1', ...place]);
      walked.push(...page.items.map(({ index }) => index));
      ({ next } = page);
    } while (next !== null);
    expect(walked).toEqual(expected);
  }
  const part = await keyturn.run([...tokens, '--limit', '1', '--newest']);
  expect(part.err).toBe(`warning More was found than is shown. Go on with the same command and --to ${all.at(-1)}\n`);
  expect((await keyturn.run([...tokens, '--limit', String(all.length)])).err).toBe('');
});

test('a followed log goes on as entries arrive, one JSON entry a line', async () => {
  const args = ['audit', 'tail', '--lines', '1', '--follow', '--json', '--home', instance.home];
  const child = spawn(process.execPath, [KEYTURN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (JSON.parse(String((await lines.next()).value)) as { kind: string }).kind;
  try {
    await next();
    await instance.token('service:payments');
    expect(await next()).toBe('token.created');
  } finally {
    child.kill();
    await once(child, 'close');
  }
});

test('an export verifies offline, by the connection file or by the key alone', async () => {
  const written = await keyturn.run(['audit', 'export', 'trail.log']);
  expect(written).toMatchObject({ code: 0, err: 'Next: keyturn audit verify trail.log\n' });
  const checkpoint = join(instance.home, 'checkpoint', 'checkpoint');
  const intact = await keyturn.run(['audit', 'verify', 'trail.log', '--since', checkpoint]);
  expect(intact).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Intact: \d+ entries, \d+ signed checkpoints, 1 outside/),
  });

  const { log } = JSON.parse(await readFile(join(instance.home, 'admin', 'connection.json'), 'utf8')) as {
    log: { keys: string[] };
  };
  const elsewhere = ['audit', 'verify', 'trail.log', '--home', keyturn.path('nowhere')];
  expect(await keyturn.json([...elsewhere, '--key', log.keys[0] ?? ''])).toMatchObject({
    intact: true,
    head: { root: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/) },
  });
  expect(await keyturn.refusal(elsewhere)).toMatchObject({
    exit: 2,
    code: 'invalid_input',
    fix: expect.stringContaining('--key'),
  });
  expect(await keyturn.refusal([...elsewhere, '--key', 'no key'])).toMatchObject({ exit: 2, code: 'invalid_input' });
  expect(await keyturn.refusal(['audit', 'export', 'trail.log'])).toMatchObject({ exit: 5, code: 'conflict' });
});

test('a changed octet and a cut tail are told, with exit code 1', async () => {
  const lines = (await readFile(keyturn.path('trail.log'), 'utf8')).split('\n');
  const changed = lines.map((line) =>
    line.startsWith('entry 1 ') ? line.replace('person:alice', 'person:malic') : line,
  );
  await keyturn.write('changed.log', changed.join('\n'));
  const report = await keyturn.run(['audit', 'verify', 'changed.log']);
  expect(report).toMatchObject({ code: 1, out: expect.stringMatching(/^NOT INTACT: [\s\S]*\b1\b/) });

  const second = lines.findIndex((line) => line.startsWith('entry 2 '));
  await keyturn.write('cut.log', [...lines.slice(0, second), 'end 2', ''].join('\n'));
  const since = ['--since', join(instance.home, 'checkpoint', 'checkpoint')];
  expect(await keyturn.json(['audit', 'verify', 'cut.log', ...since], 1)).toMatchObject({ intact: false });
});

test('files that are not there are wrong usage', async () => {
  for (const args of [['absent.log'], ['trail.log', '--since', 'absent']]) {
    expect(await keyturn.refusal(['audit', 'verify', ...args])).toMatchObject({ exit: 2, code: 'invalid_input' });
  }
});
