import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYTURN, Keyturn } from '../keyturn.ts';
import { PROCESSES_MS } from './server-process.ts';

let keyturn: Keyturn;

beforeAll(async () => {
  keyturn = await Keyturn.at();
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
});

afterAll(() => keyturn[Symbol.asyncDispose]());

function start(flags: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
  const { MALLOC_ARENA_MAX: _, ...inherited } = process.env;
  const env = { ...inherited, KEYTURN_HOME: keyturn.home, ...environment };
  const child = spawn(process.execPath, [...flags, KEYTURN, 'server'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { child, log: text(child.stderr), closed: once(child, 'close') as Promise<[number | null, string | null]> };
}

test('a server says where it listens, keeps others off its home, and ends quietly when told to', {
  timeout: PROCESSES_MS,
}, async () => {
  const loaded = join(keyturn.home, 'loaded.txt');
  const { child, log, closed } = start(['--import', listsWhatIsLoaded(loaded)]);
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    expect(line).toMatch(new RegExp(`^Listening on https://localhost:\\d+ \\(pid ${child.pid}\\)$`));

    const inUse = { exit: 6, code: 'keystore_in_use', fix: expect.stringMatching(/\S/) };
    expect(await keyturn.refusal(['server'])).toMatchObject(inUse);
    expect(await keyturn.refusal(['store', 'verify'])).toMatchObject(inUse);
    const rotate = ['store', 'rotate-master-key', '--new-key-file', 'new.key'];
    expect(await keyturn.refusal(rotate)).toMatchObject(inUse);

    expect(await keyturn.json(['whoami'])).toMatchObject({ principal: 'person:alice' });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await closed).toEqual([0, null]);
  const events = (await log)
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);
  expect(new Set(events)).toEqual(new Set(['listening', 'request']));

  const builtIns = await readFile(loaded, 'utf8');
  expect(builtIns).toContain('NativeModule https\n');
  // 13 MB that nothing here needs.
  expect(builtIns).not.toContain('undici');
});

/** For `--import`: at its end the process writes down which parts of Node it has loaded. */
function listsWhatIsLoaded(path: string): string {
  const script = `
    import { writeFileSync } from 'node:fs';
    import { isMainThread } from 'node:worker_threads';
    if (isMainThread) process.on('exit', () => writeFileSync(${JSON.stringify(path)}, process.moduleLoadList.join('\\n')));`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

/** What a process was begun with, as the system knows it. */
async function begunWith(pid: number | undefined) {
  const [words, environment] = await Promise.all(
    ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
  );
  return { words: words?.split('\0') ?? [], environment: environment?.split('\0') ?? [] };
}

test.each([
  ['bounds its memory by itself', [], {}, ['--max-semi-space-size=8', '--no-addons'], 'MALLOC_ARENA_MAX=2'],
  [
    'takes a bound that it is given',
    ['--max-semi-space-size=16'],
    {},
    ['--max-semi-space-size=16', '--no-addons'],
    'MALLOC_ARENA_MAX=2',
  ],
  ['leaves all to whoever bounds the arenas', [], { MALLOC_ARENA_MAX: '7' }, ['--no-addons'], 'MALLOC_ARENA_MAX=7'],
])(
  'a server %s, and keeps its id and its flags',
  { timeout: PROCESSES_MS },
  async (_, flags, environment, expected, arenas) => {
    const { child, log, closed } = start([...flags, '--no-addons'], environment);
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      expect(line).toContain(`(pid ${child.pid})`);
      const found = await begunWith(child.pid);
      expect(found.words.filter((word) => word.startsWith('--'))).toEqual(expected);
      expect(found.environment).toContain(arenas);
    } finally {
      child.kill('SIGTERM');
    }
    expect([await closed, (await log).includes('Error')]).toEqual([[0, null], false]);
  },
);

test('without an instance there is nothing to serve, and init is named', async () => {
  const refusal = await keyturn.refusal(['server', '--home', keyturn.path('nowhere')]);
  expect(refusal).toMatchObject({ exit: 1, code: 'config_invalid', fix: expect.stringContaining('keyturn init') });
});
