import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { sha256Hex } from '../../../src/x509/fingerprint.ts';
import { judgeClientCredential } from '../../../src/x509/judge.ts';
import { readUpload, type Upload } from '../../../src/x509/upload.ts';
import { type Issued, type KeyKind, TestCa } from '../../fakes/ca.ts';
import { type Folder, folderWith, run } from '../../fakes/programs.ts';
import { refusalOf } from '../expect-refusal.ts';

const KINDS: readonly KeyKind[] = ['rsa-2048', 'ec-p256', 'ed25519'];
const LOADED = createRequire(import.meta.url).cache;

let ca: TestCa;
let folder: Folder;
const issued = new Map<KeyKind, Issued>();

beforeAll(async () => {
  ca = await (await TestCa.create()).child();
  for (const kind of KINDS) issued.set(kind, await ca.client({ key: kind }));
  folder = await folderWith({ 'chain.pem': ca.chainPem });
});

afterAll(() => folder[Symbol.asyncDispose]());

/** `openssl pkcs12 -export`; the password goes through a file, so that it can be any. */
async function exported(kind: KeyKind, word: string, options: string): Promise<Buffer> {
  const { keyPem, certificatePem } = issued.get(kind) ?? (await ca.client({ key: kind }));
  const { path } = folder;
  await writeFile(path('key.pem'), keyPem);
  await writeFile(path('cert.pem'), certificatePem);
  await writeFile(path('word'), `${word}\n`);
  const files = ['-inkey', path('key.pem'), '-in', path('cert.pem'), '-certfile', path('chain.pem')];
  const names = ['-name', 'my app – ключ', '-caname', 'Partner CA'];
  const how = options.split(' ').filter((part) => part !== '');
  const args = ['pkcs12', '-export', ...files, ...names, '-passout', `file:${path('word')}`, '-out', path('out.p12')];
  const { exitCode, stderr } = await run('openssl', [...args, ...how]);
  expect(exitCode, stderr).toBe(0);
  return readFile(path('out.p12'));
}

function read(bytes: Buffer, word?: string): Promise<Upload> {
  const password = word === undefined ? undefined : SecretBytes.own(Buffer.from(word));
  return readUpload([{ name: 'my_app.p12', bytes }], password);
}

/** SHA-256 of the public key that openssl finds in the file. */
async function spkiByOpenssl(bytes: Buffer, word: string): Promise<string> {
  await writeFile(folder.path('in.p12'), bytes);
  await writeFile(folder.path('word'), `${word}\n`);
  const from = ['-in', folder.path('in.p12'), '-passin', `file:${folder.path('word')}`];
  const key = await run('openssl', ['pkcs12', '-legacy', '-nocerts', '-noenc', ...from]);
  const pem = await run('openssl', ['pkey', '-pubout'], key.stdout);
  return sha256Hex(Buffer.from(pem.stdout.split('\n').slice(1, -2).join(''), 'base64'));
}

const both = (scheme: string) => `-keypbe ${scheme} -certpbe ${scheme}`;
/** What openssl can write, and whether Node's own TLS reads it: RC2 it does not. */
const FORMS: readonly (readonly [string, string, boolean])[] = [
  ['as OpenSSL 3 has it', '', true],
  ['as OpenSSL 1 had it: RC2-40 and triple DES', '-legacy', false],
  ['RC2-40 for the key too', `-legacy ${both('PBE-SHA1-RC2-40')}`, false],
  ['RC2-128', `-legacy ${both('PBE-SHA1-RC2-128')}`, false],
  ['triple DES', both('PBE-SHA1-3DES'), true],
  ['triple DES with two keys', both('PBE-SHA1-2DES'), true],
  ['AES-128, MAC with SHA-1', `${both('aes-128-cbc')} -macalg sha1`, true],
  ['AES-192, MAC with SHA-512', `${both('aes-192-cbc')} -macalg sha512`, true],
  ['PBES2 with triple DES, MAC with SHA-224', `${both('des-ede3-cbc')} -macalg sha224`, true],
  ['AES without a MAC', '-nomac', true],
  ['triple DES without a MAC', `${both('PBE-SHA1-3DES')} -nomac`, true],
  ['RC2-40 without a MAC', '-legacy -nomac', false],
  ['in the clear with a MAC', both('NONE'), true],
  ['certificates in the clear', '-certpbe NONE', true],
  ['one iteration', '-noiter -nomaciter', true],
  ['ten thousand iterations, as Java has it', '-iter 10000', true],
];

describe('what openssl writes', () => {
  // The one library that works on strings is loaded for RC2 alone; these come first.
  test.each(FORMS.filter(([, , byNode]) => byNode))('%s: is read without node-forge', async (_what, options) => {
    expect((await read(await exported('rsa-2048', 'hunter2', options), 'hunter2')).key?.algorithm).toBe('RSA-2048');
    expect(Object.keys(LOADED).filter((path) => path.includes('node-forge'))).toEqual([]);
  });

  test.each(FORMS)('%s: gives the same key and chain as openssl and Node', async (_what, options, byNode) => {
    for (const kind of options === '' ? KINDS : KINDS.slice(0, 2)) {
      const made = issued.get(kind);
      const bytes = await exported(kind, 'hunter2', options);
      const { key, certificates } = await read(bytes, 'hunter2');
      expect(key?.spki).toBe(await spkiByOpenssl(bytes, 'hunter2'));
      expect(key?.pkcs8.bytes).toEqual(made?.privateKey.export({ format: 'der', type: 'pkcs8' }));
      const { leaf, chain } = judgeClientCredential({ key, certificates, issuerChain: null, now: Date.now() });
      expect(leaf.serial).toBe(made?.serial);
      expect(chain).toHaveLength(2);
      key?.pkcs8.dispose();
      if (byNode) createSecureContext({ pfx: bytes, passphrase: 'hunter2' });
    }
  });

  test.each(FORMS.filter(([, options]) => options !== both('NONE')))(
    '%s: asks for its password and tells a wrong one',
    async (_what, options) => {
      const bytes = await exported('ec-p256', 'hunter2', options);
      await refusalOf('key_password_required', read(bytes));
      await refusalOf('key_password_wrong', read(bytes, 'hunter3'));
    },
  );

  test.each(FORMS)('%s: with an empty password needs none', async (_what, options) => {
    const bytes = await exported('ec-p256', '', options);
    for (const word of [undefined, '', 'of another file']) expect((await read(bytes, word)).key).not.toBeNull();
  });

  test.each(FORMS)('%s: with a password beyond ASCII', async (_what, options) => {
    const bytes = await exported('ec-p256', 'pässwörd €', options);
    expect((await read(bytes, 'pässwörd €')).key?.algorithm).toBe('EC P-256');
  });

  test('certificates alone', async () => {
    const bytes = await exported('ec-p256', 'hunter2', '-nokeys');
    const { key, certificates } = await read(bytes, 'hunter2');
    expect(key).toBeNull();
    expect(certificates.length).toBeGreaterThanOrEqual(3);
  });

  test.each([
    ['RC4', '-legacy -keypbe PBE-SHA1-RC4-128'],
    ['DES with MD5', '-legacy -keypbe PBE-MD5-DES'],
    ['Camellia', '-keypbe camellia-256-cbc'],
  ])('%s is not read, and openssl itself is named as the way', async (_what, options) => {
    const { fix } = await refusalOf('key_unreadable', read(await exported('ec-p256', 'hunter2', options), 'hunter2'));
    expect(fix).toContain('openssl pkcs12 -legacy');
  });

  test('the way that is named leads to an upload that is read', async () => {
    await writeFile(folder.path('in.p12'), await exported('ec-p256', 'hunter2', '-legacy -keypbe PBE-SHA1-RC4-128'));
    const way = ['pkcs12', '-legacy', '-in', folder.path('in.p12'), '-out', folder.path('out.pem')];
    await run('openssl', [...way, '-passin', 'pass:hunter2', '-passout', 'pass:hunter2']);
    const { key, certificates } = await read(await readFile(folder.path('out.pem')), 'hunter2');
    expect(key?.spki).toBe(certificates.find(({ isCa }) => !isCa)?.spki);
    expect(certificates).toHaveLength(3);
  });
});
