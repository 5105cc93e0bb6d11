import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { typed } from '../../src/x509/peculiar.ts';
import { readPem, wrapPem } from '../../src/x509/pem.ts';
import { TestCa } from '../fakes/ca.ts';
import { orRefused, refusal } from './expect-refusal.ts';
import { FLAGS, type Made, make, makeCa, NOW, PURPOSES } from './made-certificate.ts';
import { shortestMs } from './shortest.ts';

let client: Made;
beforeAll(async () => {
  client = await make({ subject: 'CN=payments,O=Acme', serial: '00aBcD' });
});

/** Replaces the first occurrence of some octets by others of the same length. */
function patched(der: Buffer, from: Buffer, to: Buffer): Buffer {
  const at = der.indexOf(from);
  expect(at).toBeGreaterThan(0);
  expect(to.length).toBe(from.length);
  return Buffer.concat([der.subarray(0, at), to, der.subarray(at + from.length)]);
}

describe('a certificate is read as it is', () => {
  test('names, serial, dates, fingerprints and purposes', () => {
    const { certificate, der } = client;
    expect(certificate).toMatchObject({
      subject: 'O=Acme,CN=payments',
      serial: 'abcd',
      notBefore: NOW - 86_400_000,
      notAfter: NOW + 365 * 86_400_000,
      isCa: false,
      pathLength: null,
      clientAuth: true,
      serverAuth: false,
      hasEku: true,
      unknownCritical: [],
      algorithm: 'EC P-256',
      signatureHash: 'SHA-256',
    });
    expect(certificate.fingerprint).toBe(new X509Certificate(der).fingerprint256.replaceAll(':', '').toLowerCase());
    expect(certificate.spki).toBe(client.key?.spki);
    expect(readPem(Buffer.from(certificate.pem))[0]!.der.equals(der)).toBe(true);
  });

  test.each(['rsa-2048', 'ec-p384', 'ed25519'] as const)('one with a key of the kind %s', async (key) => {
    const { certificatePem, serial } = await (await TestCa.create('Root', key)).client({ key });
    expect(readCertificate(readPem(Buffer.from(certificatePem))[0]!.der).serial).toBe(serial);
  });

  test.each([
    ['without extended key usage', { purposes: null }, { clientAuth: true, serverAuth: true, hasEku: false }],
    ['for servers alone', { purposes: [PURPOSES.serverAuth] }, { clientAuth: false, serverAuth: true }],
    [
      'for any purpose, which OpenSSL does not take for clientAuth',
      { purposes: ['2.5.29.37.0'] },
      { clientAuth: false },
    ],
    ['whose key may only encipher', { usage: FLAGS.keyEncipherment }, { clientAuth: false }],
    ['whose key may only agree', { usage: FLAGS.keyAgreement }, { clientAuth: true }],
    ['without key usage', { usage: null }, { clientAuth: true }],
    ['of an authority', { ca: true, pathLength: 0 }, { isCa: true, pathLength: 0 }],
    ['of an authority that may not sign', { ca: true, usage: FLAGS.cRLSign }, { isCa: false }],
    ['without basicConstraints', { ca: null, usage: FLAGS.keyCertSign }, { isCa: false }],
    [
      'with a critical extension that nobody knows',
      { extra: [new typed.Extension('1.2.3.4', true, Buffer.from([5, 0]))] },
      { unknownCritical: ['1.2.3.4'] },
    ],
  ])('one %s', async (_what, recipe, expected) => {
    expect((await make(recipe)).certificate).toMatchObject(expected);
  });

  test('a name cannot forge a second line, a second name or hidden text (C4)', async () => {
    const subject = new typed.Name([{ CN: [{ utf8String: 'a\nCN=admin, DNS:\u202eevil+"x"' }] }]);
    const { certificate } = await make({ subject });
    expect(certificate.subject).toMatch(/^CN=[ -~]+$/);
    expect(certificate.subject).toContain('\\0a');
    expect(certificate.subject).toContain('\\e2\\80\\ae');
    expect(certificate.subject).toContain('\\=admin\\, DNS:');
  });

  test('a long serial keeps all its digits, a zero one is zero', async () => {
    expect((await make({ serial: `7f${'00'.repeat(18)}01` })).certificate.serial).toBe(`7f${'00'.repeat(18)}01`);
  });
});

describe('what two readers could see differently is refused (C1, C7)', () => {
  test('a negative serial number', () => {
    const der = patched(client.der, Buffer.from('0203', 'hex'), Buffer.from('0203', 'hex'));
    const negative = patched(der, Buffer.from('020300abcd', 'hex'), Buffer.from('0203ffabcd', 'hex'));
    refusal('certificate_unreadable', () => readCertificate(negative));
  });

  test('data behind the certificate', () => {
    refusal('certificate_unreadable', () => readCertificate(Buffer.concat([client.der, Buffer.from([0])])));
    refusal('certificate_unreadable', () => readCertificate(Buffer.concat([client.der, client.der])));
  });

  test('a PEM certificate hidden in an extension, which node:crypto would read in its place', async () => {
    const decoy = await make({ subject: 'CN=decoy' });
    const pem = Buffer.from(`\n${wrapPem('CERTIFICATE', decoy.der)}`);
    const value = Buffer.concat([Buffer.from([0x04, 0x82, pem.length >> 8, pem.length & 0xff]), pem]);
    const carrier = () => make({ subject: 'CN=carrier', extra: [new typed.Extension('1.2.3.4', false, value)] });
    const { message } = await carrier().then(
      () => expect.fail('was read'),
      (error: Error) => error,
    );
    expect(message).toContain("certificate's content differently");
  });

  test('an extension that is there twice', async () => {
    const twice = new typed.BasicConstraintsExtension(true, undefined, true);
    await expect(make({ extra: [twice] })).rejects.toMatchObject({ code: 'certificate_unreadable' });
  });

  test('an extension whose content is no DER', async () => {
    const broken = new typed.Extension('1.2.3.4', false, Buffer.from('free text'));
    await expect(make({ extra: [broken] })).rejects.toMatchObject({ code: 'certificate_unreadable' });
  });

  test.each([
    ['indefinite lengths', Buffer.from('30803080000000', 'hex')],
    ['a length in a longer form than needed', Buffer.from('3081020500', 'hex')],
    ['a length with a leading zero', Buffer.from(`30820002${'0500'}`, 'hex')],
    ['a length beyond the end', Buffer.from('30840fffffff', 'hex')],
    ['nothing', Buffer.alloc(0)],
    ['another structure', Buffer.from('3003020101', 'hex')],
    ['no structure', Buffer.from('hello')],
  ])('%s', (_what, der) => {
    refusal('certificate_unreadable', () => readCertificate(der));
  });

  test('10,000 nested sequences, outside and within an extension, in no time', async () => {
    const der = nested(10_000);
    expect(shortestMs(() => refusal('certificate_unreadable', () => readCertificate(der)))).toBeLessThan(50);
    const deep = new typed.Extension('2.5.29.17', false, nested(10_000));
    await expect(make({ extra: [deep] })).rejects.toMatchObject({ code: 'certificate_unreadable' });
  });

  test('more than 64 KiB', () => {
    refusal('payload_too_large', () => readCertificate(Buffer.alloc(64 * 1024 + 1, 0x30)));
  });
});

describe('whatever comes in', () => {
  test('any octets are refused and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        refusal('certificate_unreadable', () => readCertificate(Buffer.from(octets)));
      }),
      { numRuns: 2000 },
    );
  });

  test('changed octets are refused, or read alike by both parsers', () => {
    const change = fc.tuple(fc.nat(client.der.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const der = Buffer.from(client.der);
        for (const [at, octet] of changes) der.writeUInt8(octet, at);
        const certificate = orRefused(() => readCertificate(der));
        if (certificate === null) return;
        const raw = new X509Certificate(der);
        expect(certificate.der.equals(der)).toBe(true);
        expect(BigInt(`0x${certificate.serial}`)).toBe(BigInt(`0x${raw.serialNumber}`));
        expect(certificate.notAfter).toBe(raw.validToDate.getTime());
      }),
      { numRuns: 2000 },
    );
  });

  test('64 KiB of any part repeated are refused in under 50 ms', async () => {
    const { der } = await makeCa();
    for (const part of [Buffer.from('3000', 'hex'), Buffer.from('30', 'hex'), Buffer.from('0500', 'hex'), der]) {
      const body = Buffer.alloc(65_000, part);
      const head = Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]);
      for (const octets of [body, Buffer.concat([head, body])]) {
        expect(shortestMs(() => refusal('certificate_unreadable', () => readCertificate(octets)))).toBeLessThan(50);
      }
    }
  });
});

function nested(depth: number): Buffer {
  const heads: Buffer[] = [];
  let size = 0;
  for (let i = 0; i < depth; i++) {
    const head =
      size < 0x80
        ? Buffer.from([0x30, size])
        : size < 0x100
          ? Buffer.from([0x30, 0x81, size])
          : Buffer.from([0x30, 0x82, size >> 8, size & 0xff]);
    heads.push(head);
    size += head.length;
  }
  return Buffer.concat(heads.toReversed());
}
