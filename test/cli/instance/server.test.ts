import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYTURN, Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;

beforeAll(async () => {
  keyturn = await Keyturn.at();
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
});

afterAll(() => keyturn[Symbol.asyncDispose]());

function start() {
  const env = { ...process.env, KEYTURN_HOME: keyturn.home };
  const child = spawn(process.execPath, [KEYTURN, 'server'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { child, log: text(child.stderr), closed: once(child, 'close') as Promise<[number | null, string | null]> };
}

test('a server says where it listens, keeps others off its home, and ends quietly when told to', async () => {
  const { child, log, closed } = start();
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
});

test('without an instance there is nothing to serve, and init is named', async () => {
  const refusal = await keyturn.refusal(['server', '--home', keyturn.path('nowhere')]);
  expect(refusal).toMatchObject({ exit: 1, code: 'config_invalid', fix: expect.stringContaining('keyturn init') });
});
