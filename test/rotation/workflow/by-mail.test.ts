import { afterEach, expect, test } from 'vitest';
import { multipart } from '../../../src/cli/api/form.ts';
import { TestCa } from '../../fakes/ca.ts';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

const CERTIFICATE = '/v1/credentials/lean%2Fsandbox/rotation/certificate';

async function waiting() {
  stage = await RotationStage.set({ issuance: { key: 'keyturn', portal: ['Mail the request to the partner.'] } });
  await stage.start();
  const { found, tasks } = await stage.untilStep('await');
  const { csr } = found as { csr: string };
  return { csr, task: tasks.find(({ kind }) => kind === 'certificate') };
}

async function attach(certificatePem: string, ca: TestCa) {
  const bytes = Buffer.from(certificatePem + ca.chainPem);
  const { body, type } = multipart([{ field: 'file', name: 'certificate.pem', bytes }], {
    environment: 'sandbox',
    acceptNewChain: 'true',
  });
  return stage.keyturn.call('POST', CERTIFICATE, { raw: body, headers: { 'content-type': type } });
}

test('whoever has a request signed is told how it comes back, and of no import', async () => {
  const { task } = await waiting();
  expect(task?.steps).toEqual([
    'Mail the request to the partner.',
    'Upload what comes back: keyturn rotation attach lean/sandbox --pem CERTIFICATE.pem',
  ]);
});

test('what a certificate has that was not asked for is a warning, and on the log', async () => {
  const { csr } = await waiting();
  const ca = await TestCa.create();
  const { certificatePem } = await ca.sign(csr, { commonName: 'somebody else', dns: ['evil.example'] });
  const { status, body } = await attach(certificatePem, ca);
  expect(status).toBe(201);
  const { warnings } = body as unknown as { warnings: { code: string; message: string }[] };
  expect(warnings.map(({ code }) => code)).toEqual(expect.arrayContaining(['subject_differs', 'names_differ']));
  expect(warnings.find(({ code }) => code === 'names_differ')?.message).toContain('evil.example');
  const [entry] = await stage.keyturn.entries('version.issued');
  expect(entry).toMatchObject({ data: { differs: ['subject_differs', 'names_differ'] } });
});

test('what is just as asked for brings no such warning', async () => {
  const { csr } = await waiting();
  const ca = await TestCa.create();
  const { body } = await attach((await ca.sign(csr)).certificatePem, ca);
  expect(JSON.stringify(body['warnings'])).not.toContain('differs');
});

test('of a certificate that is given up, the partner is not told that its successor is in use', async () => {
  const { csr } = await waiting();
  const ca = await TestCa.create('Unknown to the partner');
  await attach((await ca.sign(csr)).certificatePem, ca);
  await stage.untilState('halted');
  await stage.order('abort');
  const { tasks } = await stage.until('a task', (shown) => shown.tasks.some(({ kind }) => kind === 'revoke'));
  const { text = '', steps } = tasks.find(({ kind }) => kind === 'revoke') ?? { steps: [] };
  expect(text).toMatch(/Reason: +cessationOfOperation/);
  expect(text).not.toContain('successor');
  expect(steps.join()).toMatch(/keyturn task done task_[0-9a-f]+ /);
});

test('a certificate that is none for our key is told as that: no advice has somebody upload a key, or import', async () => {
  const { csr } = await waiting();
  const ca = await TestCa.create();
  const day = 86_400_000;
  const [from, to] = [new Date(Date.now() - 2 * day), new Date(Date.now() - day)];
  const refused = [
    await attach((await ca.client()).certificatePem, ca),
    await attach('', ca),
    await attach((await ca.sign(csr, { notBefore: from, notAfter: to })).certificatePem, ca),
    await attach((await ca.sign(csr, { notBefore: new Date(Date.now() + day) })).certificatePem, ca),
  ].map(({ body }) => body as { code: string; detail: string; fix: string });
  expect(refused.map(({ code }) => code)).toEqual([
    'key_mismatch',
    'certificate_missing',
    'certificate_expired',
    'certificate_not_yet_valid',
  ]);
  for (const { detail, fix } of refused) {
    expect(detail).not.toMatch(/private key/);
    expect(fix).toMatch(/upload/i);
    expect(fix).not.toMatch(/import|the key and/);
  }
});
