import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYTURN, Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;

beforeAll(async () => {
  keyturn = await Keyturn.at();
});

afterAll(() => keyturn[Symbol.asyncDispose]());

test('a word that is no command ends with exit code 2 and the command that was meant', async () => {
  const ran = await keyturn.run(['frezee', 'lean/sandbox']);
  expect(ran).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Did you mean freeze?') });
  expect(await keyturn.refusal(['credential', 'lsit'])).toMatchObject({
    exit: 2,
    code: 'invalid_input',
    message: expect.stringContaining('Did you mean list?'),
  });
});

test.each([
  ['an option that is none', ['whoami', '--tokn-file', 'x']],
  ['an argument that is missing', ['promote', 'lean/sandbox']],
  ['an argument too many', ['thaw', 'a', 'b']],
])('%s is wrong usage', async (_, args) => {
  expect(await keyturn.refusal(args)).toMatchObject({ exit: 2, code: 'invalid_input' });
});

test('help lists the commands and the exit codes, and each command shows its example', async () => {
  const help = await keyturn.run(['--help']);
  expect(help).toMatchObject({ code: 0, err: '' });
  for (const told of ['import', 'freeze', 'audit', 'doctor', 'Exit codes: 0 done, 1 failed'])
    expect(help.out).toContain(told);
  const freeze = await keyturn.run(['freeze', '--help']);
  expect(freeze).toMatchObject({ code: 0, out: expect.stringContaining('Example: keyturn freeze lean/sandbox') });
  expect((await keyturn.run(['audit'])).code).toBe(2);
});

test('without an instance a command says which file is missing', async () => {
  const refusal = await keyturn.refusal(['credential', 'list']);
  expect(refusal).toMatchObject({ code: 'connection_file_invalid', message: expect.stringContaining(keyturn.home) });
  expect(refusal.fix).toContain('keyturn');
});

test('without an instance a command says how to name one, as the command line does', async () => {
  const { fix } = await keyturn.refusal(['whoami']);
  for (const told of ['--home', 'KEYTURN_HOME', '--connection', 'keyturn init']) expect(fix).toContain(told);
});

test('a file that cannot be read or made is told with the reason', async () => {
  const folder = keyturn.folder;
  const missing = await keyturn.refusal(['backup', 'keygen', '--out', `${folder}/nowhere/identity`]);
  expect(missing).toMatchObject({ exit: 4, code: 'not_found', fix: `Make it: mkdir -m 700 ${folder}/nowhere` });
  const made = await keyturn.refusal(['backup', 'keygen', '--out', '/proc/identity']);
  expect(made).toMatchObject({ code: expect.stringMatching(/not_found|invalid_input/) });
});

test('output that finds no room is told as that, and is no success', async () => {
  const { home, folder } = keyturn;
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
  const full = openSync('/dev/full', 'w');
  const env = { ...process.env, KEYTURN_HOME: home, NO_COLOR: '1' };
  const child = spawn(process.execPath, [KEYTURN, 'policy', 'check'], {
    cwd: folder,
    env,
    stdio: ['ignore', full, 'pipe'],
  });
  closeSync(full);
  const [err, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringMatching(/^error Standard output takes no more \(the disk is full\).*\n {2}fix: .+\n$/),
  });
});
