import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newSigner } from '../../audit/log.ts';
import { edit, type TestInstance } from '../../e2e/instance.ts';
import { type Keyturn, served } from '../keyturn.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let recipient: string;

beforeAll(async () => {
  ({ keyturn, instance } = await served());
  keyturn.guard(await readFile(join(instance.home, 'master', 'master.key')));
});

afterAll(async () => {
  await instance.stop();
  await keyturn[Symbol.asyncDispose]();
});

test('keygen writes an identity for its owner alone, shows the recipient, and overwrites nothing', async () => {
  const made = await keyturn.json<{ recipient: string }>(['backup', 'keygen', '--out', 'plain.identity']);
  recipient = made.recipient;
  expect(recipient).toMatch(/^ktbackup_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$/);
  expect((await stat(keyturn.path('plain.identity'))).mode & 0o777).toBe(0o600);
  keyturn.guard((await readFile(keyturn.path('plain.identity'))).subarray(71));
  expect(await keyturn.refusal(['backup', 'keygen', '--out', 'plain.identity'])).toMatchObject({
    exit: 5,
    code: 'conflict',
  });
  expect(await keyturn.refusal(['backup', 'keygen'])).toMatchObject({ exit: 2, code: 'invalid_input' });
  await keyturn.write('short', 'too short\n');
  const short = ['backup', 'keygen', '--out', 'short.identity', '--passphrase-file', 'short'];
  expect(await keyturn.refusal(short)).toMatchObject({ exit: 2, code: 'invalid_input' });
  expect(await readdir(keyturn.folder)).not.toContain('short.identity');
});

test('a backup is written by --to and --recipient, for a pinned recipient and a permitted token', async () => {
  await edit(join(instance.home, 'keyturn.yaml'), (config) => ({ ...config, backup: { recipients: [recipient] } }));
  await instance.restart();
  const asked = ['backup', '--to', 'one.backup', '--recipient', recipient];
  expect(await keyturn.refusal(asked)).toMatchObject({ exit: 3, code: 'permission_denied' });
  await keyturn.write('backup.token', await instance.grant('service:backup', 'backup', { credentials: ['**'] }));
  const by = ['--token-file', 'backup.token'];
  expect(await keyturn.refusal(['backup', '--to', 'one.backup', ...by])).toMatchObject({
    exit: 2,
    code: 'invalid_input',
  });
  const stranger = await keyturn.json<{ recipient: string }>(['backup', 'keygen', '--out', 'stranger.identity']);
  const sent = ['backup', '--to', 'one.backup', '--recipient', stranger.recipient, ...by];
  expect(await keyturn.refusal(sent)).toMatchObject({ exit: 2, code: 'invalid_input' });
  expect(await readdir(keyturn.folder)).not.toContain('one.backup');

  const taken = await keyturn.run([...asked, ...by]);
  expect(taken).toMatchObject({ code: 0, out: expect.stringMatching(/^Wrote one\.backup \(\d+ bytes\)\./) });
  expect(taken.err).toContain('apart from the master key');
  const { size } = await stat(keyturn.path('one.backup'));
  const second = await keyturn.json<{ octets: number; size: number }>([
    'backup',
    'take',
    '--to',
    'two.backup',
    '--recipient',
    recipient,
    ...by,
  ]);
  expect(second.octets).toBe((await stat(keyturn.path('two.backup'))).size);
  expect(size).toBeGreaterThan(10_000);
});

test('a restore names what is lost, is refused until that is accepted, and says what to do next', async () => {
  await keyturn.run(['audit', 'export', 'tail.log']);
  const checkpoint = keyturn.path('checkpoint');
  await keyturn.write('checkpoint', (await instance.call('GET', '/v1/audit/checkpoint')).text);
  await keyturn.write('master.key', await readFile(join(instance.home, 'master', 'master.key')));
  const opens = ['--identity', 'plain.identity', '--master-key-file', 'master.key', '--home', keyturn.path('again')];
  const args = ['restore', 'two.backup', ...opens, '--checkpoint', checkpoint, '--tail', 'tail.log'];
  expect(await keyturn.refusal(['restore', 'two.backup'])).toMatchObject({ exit: 2, code: 'invalid_input' });
  const wrong = ['restore', 'two.backup', ...opens, '--identity', 'stranger.identity'];
  expect(await keyturn.refusal(wrong)).toMatchObject({ exit: 1, code: 'backup_identity_wrong' });

  const pinned = join(instance.home, 'admin', 'connection.json');
  const own = await readFile(pinned, 'utf8').then((text) => JSON.parse(text) as { log: { origin: string } });
  const other = { ...own, log: { origin: 'another/log', keys: [newSigner('another/log').vkey] } };
  await keyturn.write('other.json', JSON.stringify(other));
  expect(await keyturn.refusal([...args, '--connection', 'other.json'])).toMatchObject({
    exit: 1,
    code: 'backup_invalid',
    message: expect.stringContaining('of another log'),
  });
  const refused = await keyturn.run([...args, '--connection', pinned]);
  expect(refused).toMatchObject({ code: 5, out: '' });
  expect(refused.err).toMatch(
    /Lost: the entries \d+ to \d+ \(2\)[^\n]*\n.*backup\.taken service:backup\n.*audit\.exported/,
  );
  expect(refused.err).toContain('--accept-loss');
  expect(await readdir(keyturn.folder)).not.toContain('again');

  const done = await keyturn.run([...args, '--accept-loss', '--admin', 'alice']);
  expect(done).toMatchObject({ code: 10, out: expect.stringMatching(/^Restored .*every one verified/) });
  expect(done.out).toContain('generation 2');
  expect(done.err).toContain('Make sure that the old server is gone for good.');
  keyturn.guard(await readFile(keyturn.path('again/admin/token')));
  const verified = await keyturn.json(['store', 'verify', '--home', keyturn.path('again')]);
  expect(verified).toMatchObject({ matchesLedger: true });
  await rm(keyturn.path('again'), { recursive: true });
  const again = await keyturn.json<{ generation: number; loss: { range: object } }>([...args, '--accept-loss'], 10);
  expect(again).toMatchObject({ generation: 2, loss: { range: { generation: 1 } } });
});
