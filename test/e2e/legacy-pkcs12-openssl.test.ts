import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LeaseAnswer } from '../../src/client/wire.ts';
import { AnswerOpener } from '../../src/sealed/answer.ts';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { folderWith, run } from '../fakes/programs.ts';
import { forgeZip } from '../x509/archive/forge-zip.ts';
import { TestInstance } from './instance.ts';

let partner: Partner;
let keyturn: TestInstance;

beforeAll(async () => {
  partner = await startPartner();
  keyturn = await TestInstance.start();
  await keyturn.meet(partner);
});

afterAll(async () => {
  await keyturn.stop();
  await partner.stop();
});

test('a zip with a .p12 as old portals write it is imported with its password, and its key is what is lent', async () => {
  const { keyPem, zip } = await legacyZip();
  const upload = (more: Record<string, Buffer>) => keyturn.import('lean/sandbox', { 'my_app.zip': zip, ...more });

  expect(await upload({})).toMatchObject({ status: 422, body: { code: 'key_password_required' } });
  const wrong = await upload({ password: Buffer.from('hunter3') });
  expect(wrong).toMatchObject({ status: 422, body: { code: 'key_password_wrong' } });
  const imported = await upload({ password: Buffer.from('hunter2') });
  expect(imported, imported.text).toMatchObject({ status: 201, body: { version: 1, state: 'current' } });

  const opener = AnswerOpener.generate();
  const lease = await keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', {
    token: await keyturn.grant('service:payments', 'service'),
    json: { hpkePublicKey: opener.publicKey, seen: 0 },
  });
  const { sealed, lease: id, credential, version, spki, expiresAt } = lease.body as unknown as LeaseAnswer;
  if (sealed === null) throw new Error('nothing sealed');
  const key = opener.open(sealed, { lease: id, credential, version, spki, expiresAt }).get('key');
  expect(key?.bytes).toEqual(createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' }));

  const told = `${keyturn.log.join('')}${JSON.stringify(await keyturn.entries('version.imported'))}${wrong.text}`;
  for (const word of ['hunter2', 'hunter3']) expect(told).not.toContain(word);
});

/** What `openssl pkcs12 -export -legacy` makes of a certificate of the portal's, zipped. */
async function legacyZip(): Promise<{ keyPem: string; zip: Buffer }> {
  const { keyPem, certificatePem } = await partner.portal.generate();
  const files = { 'key.pem': keyPem, 'cert.pem': certificatePem, 'chain.pem': partner.chainPem };
  await using folder = await folderWith(files);
  const from = [
    '-inkey',
    folder.path('key.pem'),
    '-in',
    folder.path('cert.pem'),
    '-certfile',
    folder.path('chain.pem'),
  ];
  const to = ['-passout', 'pass:hunter2', '-out', folder.path('my_app.p12')];
  const { exitCode, stderr } = await run('openssl', [
    'pkcs12',
    '-export',
    '-legacy',
    '-name',
    'my_app',
    ...from,
    ...to,
  ]);
  expect(exitCode, stderr).toBe(0);
  const content = await readFile(folder.path('my_app.p12'));
  return { keyPem, zip: forgeZip([{ name: 'my_app/my_app.p12', content }]) };
}
