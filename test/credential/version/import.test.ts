import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reply } from '../../e2e/instance.ts';
import { daysFromNow, type Issued, TestCa } from '../../fakes/ca.ts';
import { zip } from '../../fakes/partner/archive.ts';
import { type Partner, startPartner } from '../../fakes/partner/partner.ts';
import { forgeZip } from '../../x509/archive/forge-zip.ts';
import { Stage } from '../stage.ts';

let stage: Stage;
let partner: Partner;
let other: TestCa;
beforeAll(async () => {
  stage = await Stage.set();
  partner = await startPartner();
  other = await TestCa.create('Other CA');
  // The chain of the first import is what later ones are held against.
  expect(await stage.import()).toMatchObject({ status: 201 });
});
afterAll(async () => {
  await stage.strike();
  await partner.stop();
});

const pem = (...parts: string[]): Record<string, Buffer> => ({ 'all.pem': Buffer.from(parts.join('')) });
const upload = (files: Record<string, Buffer>, fields?: Record<string, string>) =>
  stage.keyturn.import('lean/sandbox', files, fields);
const issue = (options: Parameters<TestCa['client']>[0] = {}) => stage.ca.client(options);
const whole = ({ keyPem, certificatePem }: Issued) => pem(keyPem, certificatePem, stage.ca.chainPem);

describe('taken', () => {
  test('the partner’s two zips, as the portal gives them', async () => {
    const { zip: pair } = await partner.portal.generate();
    const files = { 'cert.zip': pair, 'chain.zip': await partner.portal.chain() };
    expect(await stage.keyturn.import('lean/production', files)).toMatchObject({
      status: 201,
      body: { state: 'current' },
    });
  });

  test.each(['pkcs1', 'pkcs8'] as const)('an RSA key in %s', async (type) => {
    const issued = await issue({ key: 'rsa-2048' });
    const key = issued.privateKey.export({ format: 'pem', type }) as string;
    expect((await upload(pem(key, issued.certificatePem))).status).toBe(201);
  });

  test('an EC key in SEC1, in CRLF with a byte order mark', async () => {
    const issued = await issue();
    const key = issued.privateKey.export({ format: 'pem', type: 'sec1' }) as string;
    const text = `\ufeff${key}${issued.certificatePem}`.replaceAll('\n', '\r\n');
    expect((await upload(pem(text))).status).toBe(201);
  });

  test('a chain in any order, with the key last, in a folder of a zip', async () => {
    const issued = await issue();
    const archive = await zip({
      'lean/chain.pem': stage.ca.chainPem,
      'lean/my_app_cert.crt': issued.certificatePem,
      'lean/my_app_private_key.pem': issued.keyPem,
    });
    expect((await upload({ 'a.zip': archive })).status).toBe(201);
  });

  test('an encrypted key with its password in a part of its own', async () => {
    const issued = await issue();
    const cipher = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open sesame' } as const;
    const files = pem(issued.privateKey.export(cipher) as string, issued.certificatePem);
    expect(await upload(files)).toMatchObject({ status: 422, body: { code: 'key_password_required' } });
    const wrong = await upload({ ...files, password: Buffer.from('close sesame') });
    expect(wrong).toMatchObject({ status: 422, body: { code: 'key_password_wrong' } });
    expect(wrong.text).not.toContain('sesame');
    expect((await upload({ ...files, password: Buffer.from('open sesame') })).status).toBe(201);
  });

  test('near its end: with a warning', async () => {
    const reply = await upload(whole(await issue({ notAfter: daysFromNow(5) })));
    expect(reply.status).toBe(201);
    expect(reply.body['warnings']).toMatchObject([{ code: expect.stringContaining('expir') }]);
  });

  test('the custody record tells who, when, what and whence, and repeats no secret', async () => {
    const issued = await issue();
    const { body, text } = await upload(whole(issued));
    expect(body['custody']).toMatchObject({
      importedBy: 'person:alice',
      serial: issued.serial,
      keyOrigin: 'partner',
      environment: { name: 'sandbox', toldBy: 'person' },
      uploadSha256: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    });
    expect(text).not.toContain('PRIVATE KEY');
  });
});

describe('refused, each saying what was found and what to do', () => {
  const cases: Record<string, [string, () => Promise<Reply>]> = {
    'a certificate of another CA': ['chain_untrusted', async () => upload(pem(...both(await other.client())))],
    'another chain than before': [
      'chain_untrusted',
      async () => upload(pem(...both(await other.client()), other.chainPem)),
    ],
    'an expired certificate': [
      'certificate_expired',
      async () => upload(whole(await issue({ notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }))),
    ],
    'one that is not valid yet': [
      'certificate_not_yet_valid',
      async () => upload(whole(await issue({ notBefore: daysFromNow(2) }))),
    ],
    'one for servers alone': [
      'certificate_not_for_clients',
      async () => upload(whole(await stage.ca.issue({ usages: ['serverAuth'] }))),
    ],
    'a weak key': ['key_too_weak', async () => upload(whole(await issue({ key: 'rsa-1024' })))],
    'the key of another certificate': [
      'key_mismatch',
      async () => upload(pem((await issue()).keyPem, (await issue()).certificatePem, stage.ca.chainPem)),
    ],
    'no key': ['key_missing', async () => upload(pem((await issue()).certificatePem))],
    'no certificate': ['certificate_missing', async () => upload(pem((await issue()).keyPem))],
    'a hostile zip': [
      'archive_rejected',
      async () => upload({ 'a.zip': forgeZip([{ name: '../../key.pem', content: Buffer.from('x') }]) }),
    ],
    'the other environment, by the person’s word': [
      'environment_mismatch',
      async () => upload(whole(await issue()), { environment: 'production' }),
    ],
    'nobody’s word for the environment': [
      'environment_required',
      async () => {
        const form = new FormData();
        form.set('file', new Blob([Buffer.concat(Object.values(whole(await issue())))]), 'all.pem');
        const request = new Request('http://x/', { method: 'POST', body: form });
        return stage.post('/v1/credentials/lean%2Fsandbox/versions', {
          raw: Buffer.from(await request.arrayBuffer()),
          headers: { 'content-type': request.headers.get('content-type') ?? '' },
        });
      },
    ],
    'a partner that no profile knows': [
      'not_found',
      async () => stage.keyturn.import('nobody/sandbox', whole(await issue())),
    ],
    'a key that was seen before': [
      'key_seen_before',
      async () => {
        const issued = await issue();
        await upload(whole(issued));
        return upload(whole(issued));
      },
    ],
    'a field that is no field': ['invalid_input', async () => upload(whole(await issue()), { color: 'red' })],
  };

  test.each(Object.keys(cases))('%s', async (name) => {
    const [code, ask] = cases[name]!;
    const before = await stage.desk.ledger.find('versions', { state: 'pending' });
    const reply = await ask();
    expect(reply.body).toMatchObject({ code, detail: expect.stringMatching(/\S/), fix: expect.stringMatching(/\S/) });
    expect(reply.text).not.toContain('BEGIN');
    expect(await stage.desk.ledger.find('versions', { state: 'pending' })).toEqual(before);
  });
});

function both({ keyPem, certificatePem }: Issued): string[] {
  return [keyPem, certificatePem];
}
