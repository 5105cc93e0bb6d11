import { createHash, createPrivateKey, type KeyExportOptions } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { judgeClientCredential } from '../../src/x509/judge.ts';
import { readPem, wrapPem } from '../../src/x509/pem.ts';
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

const derKey = (type: 'pkcs1' | 'pkcs8') => issued.privateKey.export({ format: 'der', type });

/** DER, with lengths from 256 octets on. */
function long(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]), content]);
}

/** As portals and Windows make it: no content, no signer. */
function pkcs7(): Buffer {
  const certificates = long(0xa0, ...readPem(Buffer.from(ca.chainPem)).map(({ der }) => der));
  const before = Buffer.from('0201013100300b06092a864886f70d010701', 'hex');
  const signedData = Buffer.from('06092a864886f70d010702', 'hex');
  return long(0x30, signedData, long(0xa0, long(0x30, before, certificates, Buffer.from('3100', 'hex'))));
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
    ['a DER key, PKCS#8', () => [derKey('pkcs8'), issued.certificatePem, ca.chainPem]],
    ['a DER key, PKCS#1', () => [derKey('pkcs1'), issued.certificatePem, ca.chainPem]],
    ['the chain as PKCS#7, DER', () => [keyCert, pkcs7()]],
    ['the chain as PKCS#7, PEM', () => [keyCert, wrapPem('PKCS7', pkcs7())]],
    [
      'a read-me that starts like DER',
      () => [zip({ VERSION: '0.9.1\n', 'key.pem': issued.keyPem }), keyCert, chainZip],
    ],
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

test('EC keys in DER are read: SEC1, PKCS#8, and encrypted', async () => {
  const { privateKey, certificatePem } = await ca.client({ key: 'ec-p256' });
  const spki = (await readUpload(files(privateKey.export({ format: 'pem', type: 'pkcs8' })))).key?.spki;
  const forms: readonly KeyExportOptions<'der'>[] = [
    { format: 'der', type: 'sec1' },
    { format: 'der', type: 'pkcs8' },
    { format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'p' },
  ];
  for (const form of forms) {
    const upload = files(privateKey.export(form), certificatePem);
    expect((await readUpload(upload, SecretBytes.own(Buffer.from('p')))).key?.spki).toBe(spki);
  }
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
    ['DER of no known kind', Buffer.from('3003020100', 'hex'), 'certificate_unreadable', /binary, but no key/],
    [
      'a PKCS#7 file of nothing',
      Buffer.from('300d06092a864886f70d010702a000', 'hex'),
      'certificate_unreadable',
      /PKCS#7/,
    ],
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
