import { deflateSync } from 'node:zlib';
import type { ClientCertificate } from '../../../fakes/partner/authority.ts';
import type { Partner } from '../../../fakes/partner/partner.ts';
import type { Planted } from './planted.ts';
import type { Tap } from './tap.ts';

const PATH = '/v1/credentials/lean%2Fsandbox/versions';

/** Uploads that are refused each for another reason, all with a key or its password inside. Gives the codes. */
export async function uploadWrongly(tap: Tap, planted: Planted, partner: Partner): Promise<Set<unknown>> {
  const codes = new Set<unknown>();
  const other = await partner.portal.generate();
  for (const [name, files] of Object.entries(wrongFiles(planted, partner, other))) {
    const { status, body } = await tap.import('lean/sandbox', files);
    codes.add(body['code']);
    if (status < 400) throw new Error(`Taken: ${name}`);
  }
  const { keyPem, certificatePem } = other;
  const whole = Buffer.from(keyPem + certificatePem);
  for (const fields of [{ environment: keyPem.slice(28, 900) }, { [keyPem.slice(28, 80)]: 'x' }, { key: 'x' }]) {
    await tap.import('lean/sandbox', { 'all.pem': whole }, fields);
  }
  for (const [type, body] of Object.entries(wrongBodies(whole))) {
    const refused = await tap.call('POST', PATH, { raw: body, headers: { 'content-type': type } });
    codes.add(refused.body['code']);
  }
  await tap.call('POST', PATH, { token: null, raw: whole, headers: { 'content-type': 'application/x-pem-file' } });
  return codes;
}

/** Characters of a PEM file up to the end of its twelfth line of base64. */
const WHOLE_LINES = 28 + 12 * 65;

/** Contents by what is wrong with them. */
export function wrongFiles(
  planted: Planted,
  { chainPem }: Partner,
  other: ClientCertificate & { readonly zip: Buffer },
): Record<string, Record<string, Buffer>> {
  const { keyPem, certificatePem, serial } = other;
  const secret = Buffer.from(keyPem);
  const encrypted = planted
    .key(`refused key ${serial}`, keyPem)
    .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: planted.passphrase }) as string;
  const all = (key: string) => Buffer.from(key + certificatePem + chainPem);
  const garbled = keyPem.replace(/(.{64})\n(.{64})/, '$1!\n$2');
  return {
    'key of another certificate': { 'all.pem': all(planted.pem('stray key')) },
    'two keys': { 'all.pem': all(keyPem + planted.pem('stray key')) },
    'key alone': { 'key.pem': secret },
    'encrypted, no password': { 'all.pem': all(encrypted) },
    'encrypted, wrong password': { 'all.pem': all(encrypted), password: Buffer.from(planted.wrongPassphrase) },
    'cut in the middle': { 'all.pem': Buffer.from(keyPem.slice(0, 900)) },
    'cut in the middle, with an end': {
      'all.pem': all(`${keyPem.slice(0, WHOLE_LINES)}\n-----END PRIVATE KEY-----\n`),
    },
    'a character that is none': { 'all.pem': all(garbled) },
    'no armour': { 'key.txt': Buffer.from(keyPem.replaceAll(/-----.*-----\n/g, '')) },
    'another label': { 'all.pem': all(keyPem.replaceAll('PRIVATE KEY', 'DSA PRIVATE KEY')) },
    'called a certificate': { 'all.pem': all(keyPem.replaceAll('PRIVATE KEY', 'CERTIFICATE')) },
    DER: { 'key.der': Buffer.from(keyPem.replaceAll(/-----.*-----|\n/g, ''), 'base64') },
    'UTF-16': { 'key.pem': Buffer.from(`\ufeff${keyPem}`, 'utf16le') },
    'JSON of it': { 'key.json': Buffer.from(JSON.stringify({ keyPem })) },
    'a zip cut short': { 'a.zip': other.zip.subarray(0, -40) },
    'a zip of garbage after its key': { 'a.zip': Buffer.concat([other.zip.subarray(0, 700), deflateSync(secret)]) },
  };
}

/** Bodies by the content type they come with. */
function wrongBodies(whole: Buffer): Record<string, Buffer> {
  const part = Buffer.from('--b\r\ncontent-disposition: form-data; name="file"; filename="a.pem"\r\n\r\n');
  return {
    'multipart/form-data; boundary=b': Buffer.concat([part, whole]),
    'multipart/form-data; boundary="b"': Buffer.concat([part, whole, Buffer.alloc(3 * 1024 * 1024, 'x')]),
    'multipart/form-data': Buffer.concat([part, whole]),
    'multipart/form-data; boundary=c': Buffer.concat([part, whole, Buffer.from('\r\n--b--\r\n')]),
    'application/json': whole,
    'application/x-pem-file': whole,
  };
}
