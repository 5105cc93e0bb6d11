import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { imported } from '../upload.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
});

afterAll(() => stop());

test('before the first import the list says that there is nothing, and a name that is none is not found', async () => {
  expect(await keyturn.run(['credential', 'list'])).toEqual({
    code: 0,
    out: 'No credentials that you may see.\n',
    err: '',
  });
  expect(await keyturn.refusal(['credential', 'show', 'lean/sandbox'])).toMatchObject({ exit: 4, code: 'not_found' });
});

test('a name with letters that none has, a version that is no number and a wrong token are told as a terminal is told', async () => {
  const foreign = await keyturn.refusal(['credential', 'show', 'lean/sändbox']);
  expect(foreign).toMatchObject({ exit: 2, code: 'invalid_input', message: expect.stringContaining('lean/sändbox') });
  const version = await keyturn.refusal(['promote', 'lean/sandbox', 'two']);
  expect(version).toMatchObject({ exit: 2, fix: 'See the command with --help.' });
  const token = await keyturn.write('no.token', 'nonsense');
  const denied = await keyturn.refusal(['whoami', '--token-file', token]);
  expect(denied).toMatchObject({ exit: 3, code: 'unauthenticated', fix: expect.stringContaining('--token-file') });
});

test('versions, companions and their states are listed, shown and promoted', async () => {
  const ca = await TestCa.create();
  const first = await imported(keyturn, instance, ca);
  await imported(keyturn, instance, ca);

  const secret = 'app-token-0123456789-abcdef';
  keyturn.guard(secret);
  await keyturn.write('token.txt', `${secret}\r\n`);
  const set = await keyturn.run(['companion', 'set', 'lean/sandbox', 'lean-app-token', '--file', 'token.txt']);
  expect(set).toEqual({ code: 0, out: 'Set lean-app-token of lean/sandbox (generation 1).\n', err: '' });
  const entry = (await instance.call('GET', '/v1/credentials/lean%2Fsandbox')).body['companions'];
  expect(entry).toMatchObject([{ name: 'lean-app-token', generation: 1 }]);

  const promoted = await keyturn.run(['promote', 'lean/sandbox', '2']);
  expect(promoted).toMatchObject({
    code: 0,
    out: 'Version 2 of lean/sandbox is current. Version 1 is now previous.\n',
  });
  expect(await keyturn.refusal(['promote', 'lean/sandbox', '2'])).toMatchObject({ exit: 5, code: 'version_state' });
  expect(await keyturn.refusal(['promote', 'lean/sandbox', '7'])).toMatchObject({ exit: 4, code: 'not_found' });

  const list = await keyturn.run(['credential', 'list']);
  expect(list.out).toMatch(/^CREDENTIAL +CURRENT +ENDS +LEFT +LEASES\nlean\/sandbox +2 +\d{4}-\d\d-\d\d +36\d d +0\n$/);
  const show = await keyturn.run(['credential', 'show', 'lean/sandbox']);
  for (const told of ['lean-app-token (generation 1)', first.serial, 'previous', 'No live leases.']) {
    expect(show.out).toContain(told);
  }
  expect(await keyturn.json(['credential', 'show', 'lean/sandbox'])).toMatchObject({ current: 2, frozen: false });
});

test('a companion without a terminal needs a file', async () => {
  const refusal = await keyturn.refusal(['companion', 'set', 'lean/sandbox', 'lean-app-token']);
  expect(refusal).toMatchObject({ exit: 2, code: 'invalid_input', fix: expect.stringContaining('file') });
});
