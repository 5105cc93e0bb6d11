import { createHash, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { certificateBag, forgePkcs12, keyBag, safe } from '../../x509/pkcs12/forge-pkcs12.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { addVault } from '../store/vault-instance.ts';
import { issue } from '../upload.ts';

const PATH = 'secret/data/teams/pay/lean';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;
let server: OpenBao;
let ca: TestCa;

beforeAll(async () => {
  server = await OpenBao.start();
  ca = await TestCa.create();
  ({ keyturn, instance, stop } = await served());
  await addVault(instance, server);
});
afterAll(async () => {
  await stop();
  await server[Symbol.asyncDispose]();
});

const keep = (data: object, path = PATH) => server.root({ path, body: { data } });
const FROM = ['adopt', 'lean/sandbox', '--from', 'vault-eu', '--path', PATH] as const;
const FIELDS = ['--key-field', 'private_key', '--certificate-field', 'certificate', '--chain-field', 'chain'] as const;
const SANDBOX = ['--environment', 'sandbox'] as const;

test('a key is adopted by path and field names, with its companion, and the original is left and named', async () => {
  const { keyPem, certificatePem } = await issue(keyturn, ca);
  keyturn.guard('an app token that a team kept');
  const fields = {
    private_key: keyPem,
    certificate: certificatePem,
    chain: ca.certificatePem,
    app: 'an app token that a team kept',
  };
  await keep(fields);
  const ran = await keyturn.run([
    ...FROM,
    ...FIELDS,
    ...SANDBOX,
    '--companion',
    'lean-app-token=app',
    '--store',
    'vault-eu',
  ]);
  expect(ran).toMatchObject({
    code: 0,
    out: expect.stringContaining(`Adopted version 1 of lean/sandbox from ${PATH} in vault-eu; it is current.`),
  });
  expect(ran.out).toContain('lean-app-token (generation 1)');
  expect(ran.err).toContain(`The original is left at ${PATH}`);
  const left = await server.root<{ data: { data: Record<string, string> } }>({ path: PATH });
  expect(left.data.data).toEqual(fields);

  const shown = await keyturn.json<{ versions: { store: string; custody: object }[] }>([
    'credential',
    'show',
    'lean/sandbox',
  ]);
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  expect(shown.versions[0]).toMatchObject({
    store: 'vault-eu',
    custody: {
      importedBy: 'person:alice',
      adoptedFrom: { store: 'vault-eu', path: PATH, version: '1', sha256: { private_key: sha256(keyPem) } },
    },
  });
  const [intent] = await instance.entries('version.adopt-intended');
  expect(intent).toMatchObject({ actor: 'person:alice', data: { from: 'vault-eu', path: PATH } });
  const payments = await instance.grant('service:payments', 'service');
  const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0 };
  expect((await instance.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token: payments, json })).status).toBe(
    201,
  );
});

test('where nobody says which environment it is for, the option that says it is named, and no other command', async () => {
  const { keyPem, certificatePem } = await issue(keyturn, ca);
  const path = 'secret/data/teams/pay/unsaid';
  await keep({ private_key: keyPem, certificate: certificatePem, chain: ca.certificatePem }, path);
  const refusal = await keyturn.refusal(['adopt', 'lean/sandbox', '--from', 'vault-eu', '--path', path, ...FIELDS]);
  expect(refusal).toMatchObject({ exit: 2, code: 'environment_required' });
  expect(refusal).toMatchObject({ fix: expect.stringMatching(/give --environment sandbox as well\.$/) });
  expect(JSON.stringify(refusal)).not.toContain('import');
});

test('the same key again is refused as in any import', async () => {
  expect(await keyturn.refusal([...FROM, ...FIELDS, ...SANDBOX])).toMatchObject({ exit: 5, code: 'key_seen_before' });
});

test('an encrypted key, its password in a field beside it or in a file', async () => {
  const { privateKey, certificatePem } = await issue(keyturn, ca);
  const passphrase = 'a password that a team kept';
  keyturn.guard(passphrase);
  const encrypted = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase }).toString();
  await keep({ private_key: encrypted, certificate: certificatePem, chain: ca.certificatePem, password: passphrase });
  const unsaid = await keyturn.refusal([...FROM, ...FIELDS, ...SANDBOX]);
  expect(unsaid).toMatchObject({
    code: 'key_password_required',
    fix: 'Give its password: --password-field FIELD where it lies beside the key, else --password-file FILE.',
  });
  expect(JSON.stringify(unsaid)).not.toContain('import');
  await keyturn.write('wrong', 'another password');
  const wrong = [...FROM, ...FIELDS, ...SANDBOX, '--password-file', 'wrong'];
  expect(await keyturn.refusal(wrong)).toMatchObject({ code: 'key_password_wrong' });
  const right = [...FROM, ...FIELDS, ...SANDBOX, '--password-field', 'password'];
  expect(await keyturn.json(right)).toMatchObject({ version: 2, original: { version: '2' } });
});

test('a PKCS#12 in base64, with line breaks, as one field', async () => {
  const { privateKey, certificatePem } = await issue(keyturn, ca);
  const der = new X509Certificate(certificatePem).raw;
  const p12 = forgePkcs12({
    mac: null,
    safes: [
      safe(keyBag(privateKey.export({ format: 'der', type: 'pkcs8' }))),
      safe(certificateBag(der), certificateBag(new X509Certificate(ca.certificatePem).raw)),
    ],
  });
  await keep({ bundle: p12.toString('base64').replaceAll(/.{64}/g, '$&\n') });
  expect(await keyturn.json([...FROM, '--key-field', 'bundle', ...SANDBOX])).toMatchObject({ version: 3 });
});

test('a key within fields is named by its path', async () => {
  const { keyPem, certificatePem } = await issue(keyturn, ca);
  const path = 'secret/data/teams/pay/nested';
  const from = ['adopt', 'lean/sandbox', '--from', 'vault-eu', '--path', path, ...SANDBOX];
  await keep({ tls: { key: keyPem, cert: certificatePem }, chain: ca.certificatePem }, path);
  expect(await keyturn.refusal([...from, '--key-field', 'tls'])).toMatchObject({
    code: 'not_found',
    fix: 'Its fields: chain, tls.cert, tls.key.',
  });
  const fields = ['--key-field', 'tls.key', '--certificate-field', 'tls.cert', '--chain-field', 'chain'];
  expect(await keyturn.json([...from, ...fields])).toMatchObject({ version: 4 });
});

test.each([
  ['no such field', ['--key-field', 'absent'], 4, 'not_found', 'bundle'],
  ['no field at all', [], 4, 'not_found', 'bundle'],
  ['a companion of no such field', ['--key-field', 'bundle', '--companion', 'a=absent'], 4, 'not_found', 'bundle'],
  [
    'a companion that is no pair',
    ['--key-field', 'bundle', '--companion', 'absent'],
    2,
    'invalid_input',
    'lean-app-token',
  ],
  [
    'a companion name that is none',
    ['--key-field', 'bundle', '--companion', 'UP=bundle'],
    2,
    'invalid_input',
    'lower-case',
  ],
])('%s is refused, with what there is, and nothing is kept', async (_what, more, exit, code, fix) => {
  const refusal = await keyturn.refusal([...FROM, ...more, ...SANDBOX]);
  expect(refusal).toMatchObject({ exit, code, fix: expect.stringContaining(fix) });
  expect(await instance.entries('version.imported')).toHaveLength(4);
});

test('a path that the configuration does not name is refused, on the log, and not asked for', async () => {
  await keep({ private_key: 'x' }, 'secret/data/finance/root');
  const args = [
    'adopt',
    'lean/sandbox',
    '--from',
    'vault-eu',
    '--path',
    'secret/data/finance/root',
    '--key-field',
    'private_key',
  ];
  expect(await keyturn.refusal(args)).toMatchObject({
    exit: 3,
    code: 'permission_denied',
    fix: expect.stringContaining('adopt-from'),
  });
  expect((await instance.entries('access.denied')).at(-1)).toMatchObject({
    data: { rule: 'adopt-from', from: 'vault-eu', path: 'secret/data/finance/root' },
  });
  expect(await keyturn.refusal(['adopt', 'lean/sandbox', '--from', 'file', '--path', 'a/b'])).toMatchObject({
    exit: 3,
  });
});

test('without a right in Vault the refusal names path, capability and policy file', async () => {
  await server.policy('keyturn-adopt', 'path "secret/data/nothing/*" { capabilities = ["read"] }');
  expect(await keyturn.refusal([...FROM, '--key-field', 'bundle', ...SANDBOX])).toMatchObject({
    exit: 3,
    code: 'permission_denied',
    message: expect.stringContaining(`"read" on ${PATH}`),
    fix: expect.stringContaining('keyturn-adopt.hcl'),
  });
});

test('a frozen store gives nothing for adoption', async () => {
  await keyturn.run(['freeze', '--store', 'vault-eu', '--reason', 'drill']);
  expect(await keyturn.refusal([...FROM, '--key-field', 'bundle', ...SANDBOX])).toMatchObject({
    exit: 3,
    code: 'held',
  });
});
