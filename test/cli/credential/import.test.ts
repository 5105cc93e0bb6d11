import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { issue, zips } from '../upload.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;
let ca: TestCa;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
  ca = await TestCa.create();
});

afterAll(() => stop());

const ENVIRONMENT = ['--environment', 'sandbox'] as const;

test('the two zips are imported, the custody record is shown, and the sources are removed', async () => {
  const { serial } = await zips(keyturn, ca);
  const ran = await keyturn.run([
    'import',
    'lean/sandbox',
    '--zip',
    'cert.zip',
    '--chain',
    'chain.zip',
    ...ENVIRONMENT,
    '--remove-source',
  ]);
  expect(ran).toMatchObject({
    code: 0,
    out: expect.stringContaining('Imported version 1 of lean/sandbox; it is current.'),
  });
  expect(ran.out).toContain(serial);
  for (const name of ['subject', 'spki', 'notAfter', 'person:alice', 'uploadSha256']) expect(ran.out).toContain(name);
  expect(ran.err).toContain('best effort');
  expect([existsSync(keyturn.path('cert.zip')), existsSync(keyturn.path('chain.zip'))]).toEqual([false, false]);
});

test('plain PEM files are imported one by one, later versions are staged', async () => {
  const { keyPem, certificatePem } = await issue(keyturn, ca);
  await keyturn.write('key.pem', keyPem);
  await keyturn.write('cert.crt', certificatePem);
  await keyturn.write('chain.pem', ca.certificatePem);
  const args = [
    'import',
    'lean/sandbox',
    '--pem',
    'key.pem',
    '--pem',
    'cert.crt',
    '--chain',
    'chain.pem',
    ...ENVIRONMENT,
  ];
  expect(await keyturn.json(args)).toMatchObject({ version: 2, state: 'staged', custody: { keyOrigin: 'partner' } });
  expect(existsSync(keyturn.path('key.pem'))).toBe(true);
  expect(await keyturn.refusal(args)).toMatchObject({ exit: 5, code: 'key_seen_before' });
});

test('an encrypted key takes its password from a file, and nothing else', async () => {
  const { privateKey, certificatePem } = await issue(keyturn, ca);
  const password = 'correct horse battery staple';
  keyturn.guard(password);
  await keyturn.write('password', `${password}\n`);
  await keyturn.write('wrong', 'another password');
  const options = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: password } as const;
  await keyturn.write('enc.pem', `${privateKey.export(options).toString()}${certificatePem}`);
  const args = ['import', 'lean/sandbox', '--pem', 'enc.pem', ...ENVIRONMENT];
  expect(await keyturn.refusal(args)).toMatchObject({
    exit: 2,
    code: 'key_password_required',
    fix: 'Give its password: --password-file FILE; at a terminal it is asked for.',
  });
  const wrong = await keyturn.refusal([...args, '--password-file', 'wrong']);
  expect(wrong).toMatchObject({ exit: 1, code: 'key_password_wrong' });
  expect(await keyturn.json([...args, '--password-file', 'password'])).toMatchObject({ version: 3 });
});

test('where the chain cannot tell the environment and nobody is there to ask, nothing is imported', async () => {
  await zips(keyturn, ca);
  const args = ['import', 'lean/sandbox', '--zip', 'cert.zip', '--chain', 'chain.zip', '--remove-source'];
  const refusal = await keyturn.refusal(args);
  expect(refusal).toMatchObject({
    exit: 2,
    code: 'environment_required',
    fix: expect.stringContaining('give --environment sandbox as well'),
  });
  expect(await keyturn.refusal([...args, '--environment', 'production'])).toMatchObject({
    code: 'environment_mismatch',
  });
  expect(existsSync(keyturn.path('cert.zip'))).toBe(true);
});

test.each([
  ['nothing', [], 'Nothing to import.'],
  ['a file that is not there', ['--zip', 'absent.zip'], 'absent.zip'],
  ['an empty file', ['--pem', '/dev/null'], '/dev/null is empty'],
])('%s is no upload', async (_, args, message) => {
  const refusal = await keyturn.refusal(['import', 'lean/sandbox', ...args]);
  expect(refusal).toMatchObject({ exit: 2, code: 'invalid_input', message: expect.stringContaining(message) });
});

test.each([
  ['a file that never ends', ['--pem', '/dev/zero'], '/dev/zero is larger'],
  ['a ninth file', Array.from({ length: 9 }, (_, at) => ['--pem', `${at}.pem`]).flat(), 'At most 8 files'],
])('%s is refused before anything is sent', async (_, args, message) => {
  const refusal = await keyturn.refusal(['import', 'lean/sandbox', ...args]);
  expect(refusal).toMatchObject({ exit: 1, code: 'payload_too_large', message: expect.stringContaining(message) });
});

test('every import that was refused or done is on the log, by whom', async () => {
  expect(await instance.entries('version.imported')).toHaveLength(3);
});
