import { X509Certificate } from 'node:crypto';
import { checkServerIdentity } from 'node:tls';
import { inspect } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { createServerCa, issueServerCertificate, openServerCa, type ServerCa } from '../../src/tls/ca.ts';
import { createListener, LISTENER_CONTEXT } from '../../src/tls/listener.ts';
import { exchange, listening, stopped } from './connect.ts';

const NOW = Date.UTC(2026, 10, 23, 10);
const DAY = 86_400_000;
let ca: ServerCa;

beforeAll(async () => {
  ca = await newCa(NOW);
});

async function newCa(now: number): Promise<ServerCa> {
  const made = await createServerCa({ commonName: 'Keyturn CA of test', now });
  using key = made.privateKey;
  return openServerCa(made.certificatePem, key);
}

test('the authority is EC P-256, lasts ten years, and may sign server certificates but no authority', () => {
  const certificate = new X509Certificate(ca.certificatePem);
  expect(certificate.ca).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2036, 10, 23, 10));
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  // DER of basicConstraints: critical, SEQUENCE { BOOLEAN TRUE, INTEGER 0 }.
  expect(certificate.raw.toString('hex')).toContain('0603551d130101ff040830060101ff020100');
});

test('a commonName with commas and equal signs stays one name', async () => {
  const made = await createServerCa({ commonName: 'a, O=b + CN=c', now: NOW });
  made.privateKey.dispose();
  expect(new X509Certificate(made.certificatePem).toLegacyObject().subject).toEqual({ CN: 'a, O=b + CN=c' });
});

test('a server certificate holds exactly the names asked for, for seven days', async () => {
  const issued = await issueServerCertificate({
    ca,
    names: ['Keyturn.internal', 'localhost', '127.0.0.1', '::1'],
    now: NOW,
  });
  using key = issued.privateKeyPem;
  expect(key.bytes.toString('ascii', 0, 28)).toBe('-----BEGIN PRIVATE KEY-----\n');
  const certificate = new X509Certificate(issued.certificatePem);
  expect(certificate.subjectAltName).toBe(
    'DNS:keyturn.internal, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(certificate.ca).toBe(false);
  expect(certificate.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true);
  expect(issued.notAfter).toBe(NOW + 7 * DAY);
  expect(Date.parse(certificate.validTo)).toBe(issued.notAfter);
  expect(Date.parse(certificate.validFrom)).toBe(issued.notBefore);
  for (const name of ['keyturn.internal', '127.0.0.1', '::1']) {
    expect(checkServerIdentity(name, certificate.toLegacyObject())).toBeUndefined();
  }
  expect(checkServerIdentity('other.internal', certificate.toLegacyObject())).toBeInstanceOf(Error);
});

test('two certificates share neither key nor serial', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => issueServerCertificate({ ca, names: ['a'], now: NOW })));
  const [first, second] = [new X509Certificate(one!.certificatePem), new X509Certificate(two!.certificatePem)];
  expect(first.serialNumber).not.toBe(second.serialNumber);
  expect(first.publicKey.equals(second.publicKey)).toBe(false);
});

test('a certificate never outlives its authority, and none is issued after its end', async () => {
  const end = Date.UTC(2036, 10, 23, 10);
  const late = await issueServerCertificate({ ca, names: ['localhost'], now: end - DAY });
  expect(late.notAfter).toBe(end);
  await expect(issueServerCertificate({ ca, names: ['localhost'], now: end })).rejects.toMatchObject({
    code: 'certificate_expired',
  });
});

test.each([
  [[]],
  [['https://a']],
  [['a:8443']],
  [['*.internal']],
  [['a..b']],
  [['-a']],
  [['300.1.1.1']],
  [['ä.de']],
  [['a\0b']],
])('names that clients could not call are refused: %j', async (names) => {
  await expect(issueServerCertificate({ ca, names, now: NOW })).rejects.toMatchObject({ code: 'invalid_input' });
});

test('a key of another authority is refused when the authority is opened', async () => {
  const other = await createServerCa({ commonName: 'other', now: NOW });
  using key = other.privateKey;
  expect(() => openServerCa(ca.certificatePem, key)).toThrow(expect.objectContaining({ code: 'key_mismatch' }));
  using rubbish = SecretBytes.own(Buffer.from('rubbish'));
  expect(() => openServerCa(ca.certificatePem, rubbish)).toThrow(expect.objectContaining({ code: 'key_unreadable' }));
  expect(() => openServerCa('rubbish', key)).toThrow(expect.objectContaining({ code: 'certificate_unreadable' }));
});

test('a client that pins the authority completes a handshake by name and by address', async () => {
  const live = await newCa(Date.now());
  const issued = await issueServerCertificate({ ca: live, names: ['localhost', '127.0.0.1'], now: Date.now() });
  const server = createListener((_, response) => response.end('hello'));
  server.setSecureContext({ ...LISTENER_CONTEXT, cert: issued.certificatePem, key: issued.privateKeyPem.bytes });
  const port = await listening(server);
  for (const servername of ['localhost', '']) {
    const { answer } = await exchange(port, { ca: live.certificatePem, servername });
    expect(answer).toContain('hello');
  }
  issued.privateKeyPem.dispose();
  await stopped(server);
});

test('nothing of a key shows when its holders are printed', async () => {
  const issued = await issueServerCertificate({ ca, names: ['a'], now: NOW });
  const body = issued.privateKeyPem.bytes.toString('ascii').split('\n')[1]!;
  expect(inspect([issued, ca], { depth: null, showHidden: true })).not.toContain(body.slice(4, 24));
  issued.privateKeyPem.dispose();
});
