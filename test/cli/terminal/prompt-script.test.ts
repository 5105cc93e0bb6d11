import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KEYTURN, Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;

beforeEach(async () => {
  keyturn = await Keyturn.at();
});

afterEach(() => keyturn[Symbol.asyncDispose]());

/** Runs a command at a terminal (script(1) makes one) and types each text when the next question has come. */
async function atTerminal(args: string, typed: readonly string[]): Promise<{ code: number; shown: string }> {
  const command = `${process.execPath} ${KEYTURN} ${args}`;
  const env = { ...process.env, KEYTURN_HOME: keyturn.home, NO_COLOR: '1' };
  // A command that waits for more than was typed ends with the test.
  const ending = `timeout --foreground 15 ${command}`;
  const child = spawn('script', ['-qec', ending, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  let answered = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString('utf8');
    while (answered < typed.length && shown.split(/store[^:\n]*: /).length > answered + 1) {
      child.stdin.write(typed[answered] ?? '');
      answered += 1;
    }
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, shown };
}

const PASSPHRASE = 'five random words in a row';

test('a new passphrase is asked for twice, without echo; backspace takes back a whole character', async () => {
  const typed = [`${PASSPHRASE}ö\u007f\r`, `${PASSPHRASE}\r`];
  const made = await atTerminal('init --admin alice --port 0 --passphrase', typed);
  expect(made).toMatchObject({ code: 0, shown: expect.stringContaining('Made an instance') });
  expect(made.shown).not.toContain('random');

  const opened = await atTerminal('store verify', [`${PASSPHRASE}\r`]);
  expect(opened).toMatchObject({ code: 0, shown: expect.stringContaining('is authentic') });
  const wrong = await atTerminal('store verify', ['another passphrase\r']);
  expect(wrong).toMatchObject({ code: 1, shown: expect.stringContaining('master_key_wrong') });
});

test('two that differ lock nothing, and Ctrl-C gives up', async () => {
  const args = 'init --admin alice --port 0 --passphrase';
  const differing = await atTerminal(args, [`${PASSPHRASE}\r`, `${PASSPHRASE}s\r`]);
  expect(differing).toMatchObject({ code: 2, shown: expect.stringContaining('not the same') });
  expect(await atTerminal(args, ['half\u0003'])).toMatchObject({ code: 2, shown: expect.stringContaining('Given up') });
});
