import { createHash, createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { judgeClientCredential } from '../../src/x509/judge.ts';
import { readUpload } from '../../src/x509/upload.ts';
import { type Issued, TestCa } from '../fakes/ca.ts';
import { forgeZip } from './archive/forge-zip.ts';
import { refusalOf } from './expect-refusal.ts';
import { certificateBag, forgePkcs12, keyBag, safe, shroudedBag, tripleDes } from './pkcs12/forge-pkcs12.ts';

let ca: TestCa;
let issued: Issued;
let keyCert: Buffer;
let chainZip: Buffer;

beforeAll(async () => {
  ca = await (await TestCa.create()).child();
  issued = await ca.client({ key: 'rsa-2048' });
  keyCert = zip({ 'my_app/my_app_private_key.pem': issued.keyPem, 'my_app/my_app_cert.crt': issued.certificatePem });
  chainZip = zip({ 'lean_public_cert_chain.pem': ca.chainPem, 'README.txt': 'Keep the key safe.' });
});

function zip(files: Readonly<Record<string, string>>): Buffer {
  return forgeZip(Object.entries(files).map(([name, text]) => ({ name, content: Buffer.from(text) })));
}

const files = (...contents: readonly (string | Buffer)[]) =>
  contents.map((content, index) => ({ name: `file ${index}`, bytes: Buffer.from(content as string) }));

describe('what a person downloads from a portal is read', () => {
  test('two zips give a credential that stands its judgement', async () => {
    const { key, certificates, sha256 } = await readUpload(files(keyCert, chainZip));
    expect(key?.algorithm).toBe('RSA-2048');
    expect(certificates).toHaveLength(3);
    expect(sha256).toEqual([keyCert, chainZip].map((bytes) => createHash('sha256').update(bytes).digest('hex')));
    const { leaf, chain } = judgeClientCredential({ key, certificates, issuerChain: null, now: Date.now() });
    expect(leaf.serial).toBe(issued.serial);
    expect(chain).toHaveLength(2);
  });

  test.each([
    ['PEM files apart', () => [issued.keyPem, issued.certificatePem, ca.chainPem]],
    [
      'one file with everything, CRLF',
      () => [(issued.keyPem + issued.certificatePem + ca.chainPem).replaceAll('\n', '\r\n')],
    ],
    ['chain before leaf before key', () => [ca.chainPem + issued.certificatePem + issued.keyPem]],
    ['a zip and a PEM file mixed, the chain twice', () => [keyCert, ca.chainPem, chainZip]],
    ['a DER certificate', () => [issued.keyPem, Buffer.from(issued.certificate.rawData), ca.chainPem]],
    ['the key twice', () => [keyCert, issued.keyPem, ca.chainPem]],
  ])('%s', async (_what, contents) => {
    const { key, certificates } = await readUpload(files(...contents()));
    expect(certificates).toHaveLength(3);
    expect(judgeClientCredential({ key, certificates, issuerChain: null, now: Date.now() }).chain).toHaveLength(2);
  });

  test('blocks of other kinds are passed over', async () => {
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const { key } = await readUpload(files(parameters + issued.keyPem));
    expect(key?.spki).toMatch(/^[0-9a-f]{64}$/);
  });

  test('an encrypted key in a zip is opened by its password', async () => {
    const pem = issued.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'p' });
    const upload = files(zip({ 'key.pem': pem.toString() }));
    await refusalOf('key_password_required', readUpload(upload));
    await refusalOf('key_password_wrong', readUpload(upload, SecretBytes.own(Buffer.from('q'))));
    expect((await readUpload(upload, SecretBytes.own(Buffer.from('p')))).key?.algorithm).toBe('RSA-2048');
  });

  test('the files of the caller are left as they were', async () => {
    const upload = files(keyCert, issued.keyPem, Buffer.from(issued.certificate.rawData));
    const before = upload.map(({ bytes }) => Buffer.from(bytes));
    await readUpload(upload);
    expect(upload.every(({ bytes }, index) => bytes.equals(before[index]!))).toBe(true);
  });

  test('nothing uploaded is nothing found', async () => {
    expect(await readUpload([])).toEqual({ key: null, certificates: [], sha256: [] });
  });
});

describe('what is refused', () => {
  test('two different private keys, in one file or in two', async () => {
    const other = await ca.client();
    const error = await refusalOf('invalid_input', readUpload(files(keyCert, other.keyPem)));
    expect(error.message).toContain('two different private keys');
    await refusalOf('invalid_input', readUpload(files(issued.keyPem + other.keyPem)));
  });

  test.each([
    ['a text without PEM', 'hello', 'invalid_input', /no private key and no certificate/],
    ['an empty file', '', 'invalid_input', /no private key/],
    ['a picture', Buffer.from('89504e470d0a1a0a0000', 'hex'), 'invalid_input', /no private key/],
    [
      'a public key alone',
      '-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n',
      'invalid_input',
      /no private key/,
    ],
    ['a DER key', Buffer.from('3003020100', 'hex'), 'certificate_unreadable', /not PEM, PKCS#12 or a DER certificate/],
    [
      'a PKCS#12 file that is cut short',
      Buffer.from('3082000a020103', 'hex'),
      'archive_rejected',
      /PKCS#12.*cut short/,
    ],
    ['a PKCS#12 file of nothing', forgePkcs12({ safes: [], mac: null }), 'invalid_input', /no private key/],
    ['UTF-16', Buffer.from('\ufeff-----BEGIN CERTIFICATE-----\n', 'utf16le'), 'invalid_input', /UTF-16/],
    ['UTF-16, big-endian', Buffer.from('-----BEGIN CERTIFICATE-----\n', 'utf16le').swap16(), 'invalid_input', /UTF-16/],
    [
      'a zip of nothing useful',
      forgeZip([{ name: 'a.txt', content: Buffer.from('x') }]),
      'invalid_input',
      /no private key/,
    ],
    ['a hostile zip', forgeZip([{ name: '../a', content: Buffer.from('x') }]), 'archive_rejected', /"\.\."/],
    ['a split zip', Buffer.from('504b0708504b0304', 'hex'), 'archive_rejected', /refused/],
  ] as const)('%s', async (_what, content, code, message) => {
    expect((await refusalOf(code, readUpload(files(content)))).message).toMatch(message);
  });

  test('a file name can’t forge a line in a message', async () => {
    const upload = [{ name: `a\nERROR: b\u202e${'x'.repeat(500)}`, bytes: Buffer.from('hello') }];
    const { message } = await refusalOf('invalid_input', readUpload(upload));
    expect(message).toContain('"a?ERROR: b?');
    expect(message.length).toBeLessThan(200);
  });

  test('too many files and too many certificates', async () => {
    await refusalOf('payload_too_large', readUpload(files(...Array<string>(17).fill(issued.certificatePem))));
    await refusalOf('payload_too_large', readUpload(files(issued.certificatePem.repeat(33))));
  });
});

describe('PKCS#12', () => {
  const der = (pem: string) => createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
  const leaf = () => certificateBag(Buffer.from(issued.certificate.rawData));
  const word = (text: string) => SecretBytes.own(Buffer.from(text));
  /** The key as the portal has it, and the leaf; no chain. */
  const p12 = (mac?: null) => {
    const safes = [safe(shroudedBag(der(issued.keyPem), tripleDes())), safe(leaf())];
    return forgePkcs12(mac === null ? { safes, mac } : { safes });
  };

  test.each([
    ['alone, the chain beside it', () => files(p12(), ca.chainPem)],
    ['without a MAC', () => files(p12(null), chainZip)],
    [
      'in a zip with a read-me',
      () => files(forgeZip([entry('a/my_app.pfx', p12()), entry('README', Buffer.from('x'))]), chainZip),
    ],
    ['with the same key as PEM beside it', () => files(p12(), issued.keyPem, ca.chainPem)],
    ['twice', () => files(p12(), p12(null), ca.chainPem)],
  ])('%s', async (_what, upload) => {
    const { key, certificates, sha256 } = await readUpload(upload(), word('hunter2'));
    expect(certificates).toHaveLength(3);
    expect(sha256[0]).toBe(createHash('sha256').update(upload()[0]!.bytes).digest('hex'));
    const judgement = judgeClientCredential({ key, certificates, issuerChain: null, now: Date.now() });
    expect(judgement.leaf.serial).toBe(issued.serial);
    expect(judgement.chain).toHaveLength(2);
  });

  test('its password is asked for and a wrong one told, in a zip too', async () => {
    for (const upload of [files(p12()), files(forgeZip([entry('a.p12', p12())]))]) {
      await refusalOf('key_password_required', readUpload(upload));
      await refusalOf('key_password_wrong', readUpload(upload, word('hunter3')));
    }
  });

  test('two different keys, a weak key, what is no key and what is no certificate', async () => {
    const other = der((await ca.client()).keyPem);
    const weak = der((await ca.client({ key: 'rsa-1024' })).keyPem);
    const junk = Buffer.from('3003020105', 'hex');
    const upload = (...bags: readonly Buffer[]) =>
      readUpload(files(forgePkcs12({ safes: [safe(...bags)], mac: null })));
    const two = await refusalOf('invalid_input', upload(keyBag(other), leaf(), keyBag(der(issued.keyPem))));
    expect(two.message).toContain('two different private keys');
    await refusalOf('key_too_weak', upload(keyBag(weak)));
    await refusalOf('key_unreadable', upload(keyBag(junk)));
    await refusalOf('certificate_unreadable', upload(keyBag(other), certificateBag(junk)));
  });

  test('of the keys in it only the one that is handed out stays', async () => {
    const copies = vi.spyOn(SecretBytes, 'copyOf');
    const { key } = await readUpload(files(p12()), word('hunter2'));
    expect(copies.mock.results.map(({ value }) => (value as SecretBytes).disposed)).toEqual([true]);
    expect(key?.pkcs8.bytes).toEqual(der(issued.keyPem));
    copies.mockRestore();
  });

  test('more than four files, and more than 32 certificates in one', async () => {
    await refusalOf('payload_too_large', readUpload(files(...Array<Buffer>(5).fill(p12())), word('hunter2')));
    const many = forgePkcs12({ safes: [safe(...Array<Buffer>(33).fill(leaf()))], mac: null });
    await refusalOf('payload_too_large', readUpload(files(many)));
  });
});

function entry(name: string, content: Buffer) {
  return { name, content };
}
