import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { certificatesOfPkcs7 } from '../../../src/x509/encoding/pkcs7.ts';
import { readPem } from '../../../src/x509/pem.ts';
import { TestCa } from '../../fakes/ca.ts';

test('what OpenSSL puts into a PKCS#7 file comes out of it, octet for octet', async () => {
  const ca = await (await TestCa.create()).child();
  const make = 'cat | openssl crl2pkcs7 -nocrl -certfile /dev/stdin -outform DER';
  const { stdout } = spawnSync('sh', ['-c', make], { input: ca.chainPem });
  expect(certificatesOfPkcs7(stdout)).toEqual(readPem(Buffer.from(ca.chainPem)).map(({ der }) => der));
});
