import { createPrivateKey, X509Certificate } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';
import { call } from './call.ts';
import { type Partner, startPartner } from './partner/partner.ts';

let partner: Partner;
beforeAll(async () => {
  partner = await startPartner();
});
afterAll(() => partner.stop());

describe.each(['rsa-2048', 'ec-p256'] as const)('a new certificate (%s)', (key) => {
  test('is a zip with exactly the key and its certificate', async () => {
    const response = await fetch(`${partner.portalUrl}/apps/my_app/certificate?key=${key}`, { method: 'POST' });
    expect(response.headers.get('content-type')).toBe('application/zip');
    const files = await unzip(Buffer.from(await response.arrayBuffer()));
    expect([...files.keys()]).toEqual(['my_app_private_key.pem', 'my_app_cert.crt']);

    const privateKey = createPrivateKey(files.get('my_app_private_key.pem')!);
    const certificate = new X509Certificate(files.get('my_app_cert.crt')!);
    expect(certificate.checkPrivateKey(privateKey)).toBe(true);
    expect(certificate.subject).toBe('CN=my_app');
    expect(privateKey.asymmetricKeyType).toBe(key === 'rsa-2048' ? 'rsa' : 'ec');
    expect(privateKey.asymmetricKeyDetails).toMatchObject(
      key === 'rsa-2048' ? { modulusLength: 2048 } : { namedCurve: 'prime256v1' },
    );
  });

  test('comes to a program with the facts that are in the zip', async () => {
    const made = await partner.portal.generate({ app: 'other_app', key });
    const files = await unzip(made.zip);
    expect(files.get('my_app_private_key.pem')).toBe(made.keyPem);
    const certificate = new X509Certificate(files.get('my_app_cert.crt')!);
    expect(certificate.serialNumber.toLowerCase()).toBe(made.serial);
    expect(certificate.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(made.fingerprint);
    expect(certificate.subject).toBe('CN=other_app');
  });
});

test('the chain is one PEM file, issuing CA first, that leads from a certificate to the root', async () => {
  const response = await fetch(`${partner.portalUrl}/apps/my_app/certificate-chain`);
  const files = await unzip(Buffer.from(await response.arrayBuffer()));
  expect([...files.keys()]).toEqual(['lean_public_cert_chain.pem']);
  const pem = files.get('lean_public_cert_chain.pem')!;
  expect(pem).toBe(partner.chainPem);
  const [issuing, root, ...more] = pem
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((part) => new X509Certificate(part));
  expect(more).toEqual([]);
  const leaf = new X509Certificate((await partner.portal.generate()).certificatePem);
  expect(leaf.verify(issuing!.publicKey)).toBe(true);
  expect(issuing!.verify(root!.publicKey)).toBe(true);
  expect(root!.verify(root!.publicKey)).toBe(true);
});

test('every click makes another key', async () => {
  const [first, second] = await Promise.all([partner.portal.generate(), partner.portal.generate()]);
  expect(first.spki).not.toBe(second.spki);
  expect(first.serial).not.toBe(second.serial);
});

test('the revoke button kills the certificate of its own app and no other', async () => {
  const made = await partner.portal.generate({ app: 'shop' });
  const options = { ca: partner.chainPem, identity: made };
  const press = async (app: string, serial: string) => {
    const url = `${partner.portalUrl}/apps/${app}/certificates/${serial}/revoke`;
    return (await fetch(url, { method: 'POST' })).status;
  };
  expect(await press('another', made.serial)).toBe(404);
  expect(await press('shop', 'abcd')).toBe(404);
  expect((await call(`${partner.mtlsUrl}/whoami`, options)).status).toBe(200);
  expect(await press('shop', made.serial)).toBe(204);
  expect((await call(`${partner.mtlsUrl}/whoami`, options)).status).toBe(400);
});

test.each([
  ['POST', '/apps/my_app/certificate?key=dsa', 400],
  ['GET', '/apps/my_app/certificate', 404],
  ['POST', '/apps/MY%20APP/certificate', 404],
  ['GET', '/', 404],
])('%s %s is refused with %i', async (method, path, status) => {
  const response = await fetch(partner.portalUrl + path, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toContain('text/plain');
});

/** Every file of a zip, in its order. */
async function unzip(zip: Buffer): Promise<Map<string, string>> {
  const archive = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(zip, { lazyEntries: true }, (error, file) => (error === null ? resolve(file) : reject(error)));
  });
  const files = new Map<string, string>();
  await new Promise<void>((resolve, reject) => {
    archive.on('entry', (entry: Entry) => {
      archive.openReadStream(entry, (error, stream) => {
        if (error !== null) return reject(error);
        text(stream).then((content) => {
          files.set(entry.fileName, content);
          archive.readEntry();
        }, reject);
      });
    });
    archive.on('end', resolve).on('error', reject);
    archive.readEntry();
  });
  return files;
}
