import { describe, expect, test } from 'vitest';
import { NEW_KEYS, newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { readRequest } from '../../../src/x509/request/read-request.ts';
import { makeRequest } from '../../../src/x509/request/request.ts';
import { foreignRequest } from '../../conformance/issuers/openssl.ts';
import { run } from '../../fakes/programs.ts';

const IDENTITY = {
  subject: [
    { type: 'C', value: 'AE' },
    { type: 'O', value: 'Acme, Inc. + Söhne' },
    { type: 'CN', value: 'payments.acme.example' },
  ],
  dns: ['payments.acme.example', 'backup.acme.example'],
  uris: ['spiffe://acme.example/payments'],
} as const;

async function openssl(pem: string, ...args: string[]): Promise<string> {
  const ran = await run('openssl', ['req', '-noout', ...args], pem);
  if (ran.exitCode !== 0) throw new Error(ran.stderr);
  return ran.stdout + ran.stderr;
}

describe.each(NEW_KEYS)('a request for a key of the kind %s', (kind) => {
  test('is one that OpenSSL verifies and reads as it was meant, and we as well', async () => {
    const key = await newPrivateKey(kind);
    expect(key.algorithm).toBe(kind);
    const request = await makeRequest(key, IDENTITY);
    expect(await openssl(request.pem, '-verify')).toContain('verify OK');
    const text = await openssl(request.pem, '-text');
    expect(text).toContain('DNS:payments.acme.example, DNS:backup.acme.example, URI:spiffe://acme.example/payments');
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\s/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\s/);
    expect(text.match(/X509v3 /g)).toHaveLength(3);
    expect(await openssl(request.pem, '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8')).toContain(
      'CN=payments.acme.example,O=Acme\\, Inc. \\+ Söhne,C=AE',
    );
    const read = await readRequest(request.der);
    expect(read.spki).toBe(key.spki);
    expect(read.names).toEqual([
      'dns:backup.acme.example',
      'dns:payments.acme.example',
      'url:spiffe://acme.example/payments',
    ]);
    key.pkcs8.dispose();
  });
});

test('no two keys are the same, and the octets are wiped when they are disposed of', async () => {
  const [one, two] = [await newPrivateKey('EC P-256'), await newPrivateKey('EC P-256')];
  expect(one.spki).not.toBe(two.spki);
  const octets = one.pkcs8.bytes;
  one.pkcs8.dispose();
  two.pkcs8.dispose();
  expect(octets.every((octet) => octet === 0)).toBe(true);
});

test('a request of a name alone has no extension of names', async () => {
  const key = await newPrivateKey('EC P-256');
  const subject = [{ type: 'CN', value: 'lean/sandbox' }] as const;
  const request = await makeRequest(key, { subject, dns: [], uris: [] });
  expect((await openssl(request.pem, '-text')).match(/X509v3 /g)).toHaveLength(2);
  expect((await readRequest(request.der)).names).toEqual([]);
});

describe('a request of others', () => {
  test('made by OpenSSL is read, for every kind of name', async () => {
    const der = await foreignRequest(
      '-newkey ec -pkeyopt ec_paramgen_curve:P-384 -subj /O=Other/CN=them -addext subjectAltName=DNS:a.example,email:x@a.example,IP:10.0.0.1',
    );
    expect(await readRequest(der)).toMatchObject({
      subject: 'CN=them,O=Other',
      names: ['dns:a.example', 'email:x@a.example', 'ip:10.0.0.1'],
    });
  });

  test('is refused for a key that is too weak', async () => {
    const der = await foreignRequest('-newkey rsa:1024 -subj /CN=weak');
    await expect(readRequest(der)).rejects.toMatchObject({ code: 'key_too_weak' });
  });

  test('is refused when any octet of it was changed, cut or added, and never with a fault of ours', async () => {
    const key = await newPrivateKey('EC P-256');
    const { der } = await makeRequest(key, IDENTITY);
    for (let at = 0; at < der.length; at += 1) {
      const changed = Buffer.from(der);
      changed[at]! ^= 0x41;
      await expect(readRequest(changed)).rejects.toMatchObject({ name: 'KeyturnError' });
    }
    await expect(readRequest(der.subarray(0, -1))).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(readRequest(Buffer.concat([der, der]))).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(readRequest(Buffer.alloc(20_000, 0x30))).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
