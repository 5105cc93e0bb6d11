import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openAwsPcaIssuer } from '../../../src/issuer/aws-pca/aws-pca-issuer.ts';
import type { AwsPcaOptions } from '../../../src/issuer/aws-pca/options.ts';
import { mayHaveHappened } from '../../../src/issuer/failure.ts';
import { type Issued, Issuer } from '../../../src/issuer/issuer.ts';
import { makeAuthority } from '../../conformance/issuers/aws-pca.ts';
import { anIssuance } from '../../conformance/issuers/issuer.ts';
import { type Fault, losingAnswers, refusing, resetting } from '../../fakes/aws/fault.ts';
import type { Policy } from '../../fakes/aws/iam.ts';
import { shippedIssuerPolicy } from '../../fakes/aws/shipped-policy.ts';
import { CREDENTIALS, FakeAws } from '../../fakes/aws.ts';

let aws: FakeAws;
let authority: string;
beforeAll(async () => {
  aws = await FakeAws.start();
  authority = await makeAuthority(aws);
});
afterAll(() => aws[Symbol.asyncDispose]());
beforeEach(() => {
  Object.assign(aws.proxy, { policies: [shippedIssuerPolicy(authority)], faults: () => null });
  aws.proxy.calls.length = 0;
});

async function over(more: Partial<AwsPcaOptions> = {}): Promise<Issuer> {
  const { endpoint } = aws.connection;
  const driver = await openAwsPcaIssuer({ authority, ...(endpoint === undefined ? {} : { endpoint }), ...more });
  onTestFinished(() => driver.close());
  return new Issuer('aws', 'aws-pca', driver, { clock: systemClock });
}

function strike(operation: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  aws.proxy.faults = (call) => (call.operation === operation && left-- > 0 ? fault : null);
}

async function outcome(call: Promise<unknown>) {
  return call.then(
    () => 'done',
    (error: unknown) => {
      const { code = '', message = '', fix = '' } = error as { code?: string; message?: string; fix?: string };
      return { code, message: `${message} ${fix}`, may: mayHaveHappened(error) };
    },
  );
}

function inputs(operation: string) {
  return aws.proxy.calls.filter((call) => call.operation === operation).map(({ input }) => input);
}

async function revocation(issuer: Issuer) {
  const asked = await anIssuance();
  const { certificate } = (await issuer.issue(asked)) as Issued;
  return { certificate: certificate.pem, reason: 'keyCompromise', byHand: asked.byHand } as const;
}

test('asks for what the request says, for a client alone, until when the profile says, once an issuance', async () => {
  const issuer = await over();
  const asked = await anIssuance({ lifetimeSeconds: 3600 });
  await issuer.issue(asked);
  await issuer.resume({ ...asked, askedAt: Date.now() - 200_000 });
  const [first, second] = inputs('IssueCertificate');
  expect(first).toMatchObject({
    CertificateAuthorityArn: authority,
    Csr: Buffer.from(asked.request.pem).toString('base64'),
    SigningAlgorithm: 'SHA256WITHRSA',
    TemplateArn: 'arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1',
    IdempotencyToken: expect.stringMatching(/^[0-9a-f]{32}$/),
    // To the minute.
    Validity: { Type: 'ABSOLUTE', Value: expect.closeTo(Date.now() / 1000 + 3600, -2) },
  });
  expect(second?.['IdempotencyToken']).toBe(first?.['IdempotencyToken']);
  await issuer.issue(await anIssuance());
  expect(inputs('IssueCertificate')[2]?.['IdempotencyToken']).not.toBe(first?.['IdempotencyToken']);
});

test('is not resumed when AWS may have forgotten the token: a person looks', async () => {
  const issuer = await over();
  const asked = await anIssuance();
  await expect(issuer.resume(asked)).rejects.toMatchObject({ code: 'issuer_refused' });
  const late = { ...asked, askedAt: Date.now() - 280_000 };
  await expect(issuer.resume(late)).rejects.toMatchObject({ code: 'issuer_refused' });
  expect(aws.proxy.calls).toEqual([]);
});

test('revokes by serial number and with the reason, in the words of AWS', async () => {
  const issuer = await over();
  const request = await revocation(issuer);
  await issuer.revoke(request);
  const [input] = inputs('RevokeCertificate');
  const serial = new X509Certificate(request.certificate).serialNumber.toLowerCase();
  expect(input).toEqual({
    CertificateAuthorityArn: authority,
    CertificateSerial: serial.replace(/(..)(?=.)/g, '$1:'),
    RevocationReason: 'KEY_COMPROMISE',
  });
});

test('waits for a certificate that is still being issued', async () => {
  strike('GetCertificate', refusing({ type: 'RequestInProgressException', message: '' }), 2);
  expect(await (await over()).issue(await anIssuance())).toMatchObject({ kind: 'issued' });
  expect(inputs('IssueCertificate')).toHaveLength(1);
});

test('a lost answer is asked for again under the same token', async () => {
  strike('IssueCertificate', losingAnswers, 1);
  expect(await (await over()).issue(await anIssuance())).toMatchObject({ kind: 'issued' });
  const tokens = inputs('IssueCertificate').map(({ IdempotencyToken: token }) => token);
  expect(tokens).toHaveLength(2);
  expect(new Set(tokens).size).toBe(1);
});

test('one that stays lost is in doubt', async () => {
  strike('IssueCertificate', losingAnswers);
  const told = await outcome((await over()).issue(await anIssuance()));
  expect(told).toMatchObject({ code: 'issuer_unavailable', may: true });
});

test('a certificate that exists and can’t be fetched is in doubt, whatever AWS says', async () => {
  strike('GetCertificate', refusing({ type: 'ThrottlingException', message: '' }));
  const error = await (await over({ attempts: 1 })).issue(await anIssuance()).catch((each: unknown) => each);
  expect(error).toMatchObject({
    code: 'issuer_unavailable',
    facts: { certain: false, certificateArn: expect.stringContaining(`${authority}/certificate/`) },
  });
});

test.each<[string, Fault, object]>([
  ['DescribeCertificateAuthority', resetting, { code: 'issuer_unavailable', may: false }],
  [
    'DescribeCertificateAuthority',
    refusing({ type: 'ResourceNotFoundException', message: '' }),
    { code: 'issuer_unavailable', may: false, message: expect.stringContaining('no such certificate authority') },
  ],
  [
    'IssueCertificate',
    refusing({ type: 'MalformedCSRException', message: 'quoted input' }),
    { code: 'issuer_refused', may: false },
  ],
  [
    'IssueCertificate',
    refusing({ type: 'InvalidStateException', message: 'quoted input' }),
    { code: 'issuer_unavailable', may: false, message: expect.stringContaining('does not issue') },
  ],
  [
    'IssueCertificate',
    refusing({ type: 'InternalFailure', message: 'quoted input', status: 500 }),
    { code: 'issuer_unavailable', may: true },
  ],
])('%s that fails is told apart: %o', async (operation, fault, expected) => {
  strike(operation, fault);
  const told = await outcome((await over()).issue(await anIssuance()));
  expect(told).toMatchObject(expected);
  expect(JSON.stringify(told)).not.toContain('quoted input');
});

test.each([
  ['RequestAlreadyProcessedException', 'done'],
  ['ResourceNotFoundException', expect.objectContaining({ code: 'issuer_refused' })],
  ['InvalidStateException', expect.objectContaining({ code: 'issuer_unavailable', may: false })],
])('a revocation that AWS answers with %s', async (type, expected) => {
  const issuer = await over();
  const request = await revocation(issuer);
  strike('RevokeCertificate', refusing({ type, message: '' }));
  expect(await outcome(issuer.revoke(request))).toEqual(expected);
});

describe('the policy that operators paste', () => {
  function without(action: string): Policy {
    const { Version, Statement } = shippedIssuerPolicy(authority) as {
      Version: string;
      Statement: { Action: string | string[] }[];
    };
    const left = Statement.map((each) => ({ ...each, Action: [each.Action].flat().filter((one) => one !== action) }));
    return { Version, Statement: left.filter(({ Action }) => Action.length > 0) };
  }

  test.each([
    ['acm-pca:DescribeCertificateAuthority', ['issue', 'check']],
    ['acm-pca:IssueCertificate', ['issue']],
    ['acm-pca:GetCertificate', ['issue']],
    ['acm-pca:RevokeCertificate', ['revoke']],
  ])('without %s what needs it fails and names it; all else goes on', async (action, failing) => {
    const issuer = await over();
    const request = await revocation(issuer);
    aws.proxy.policies = [without(action)];
    const check = await issuer.check();
    const outcomes = {
      issue: await outcome(issuer.issue(await anIssuance())),
      revoke: await outcome(issuer.revoke(request)),
      check: check.ready ? 'done' : { code: 'issuer_unavailable', message: check.detail },
    };
    for (const [verb, told] of Object.entries(outcomes)) {
      if (!failing.includes(verb)) expect([verb, told]).toEqual([verb, 'done']);
      else {
        expect(told).toMatchObject({ code: 'issuer_unavailable', message: expect.stringContaining(action) });
        expect(told).toMatchObject({ message: expect.stringContaining('policies/aws/keyturn-issuer.json') });
      }
    }
  });

  test('lets nothing be signed by another template or another authority', async () => {
    const other = await makeAuthority(aws);
    const told = await outcome((await over({ authority: other })).issue(await anIssuance()));
    expect(told).toMatchObject({ code: 'issuer_unavailable', may: false });
    const policy = JSON.stringify(shippedIssuerPolicy(authority)).replace('EndEntityClientAuth', 'EndEntityServerAuth');
    aws.proxy.policies = [JSON.parse(policy) as Policy];
    expect(await outcome((await over()).issue(await anIssuance()))).toMatchObject({ may: false });
  });
});

test('an authority that publishes no revocation is not ready', async () => {
  const quiet = await makeAuthority(aws, false);
  aws.proxy.policies = [shippedIssuerPolicy(quiet)];
  const check = await (await over({ authority: quiet })).check();
  expect(check).toMatchObject({ ready: false, detail: expect.stringContaining('CRL or OCSP') });
});

test.each([
  ['not an ARN', { authority: 'arn:aws:acm:eu-central-1:123456789012:certificate/x' }],
  ['another region', { region: 'us-east-1' }],
])('options that make no issuer are refused: %s', async (_case, more) => {
  await expect(over(more)).rejects.toMatchObject({ code: 'config_invalid' });
});

test('no credential stands in any error', async () => {
  strike('IssueCertificate', refusing({ type: 'InternalFailure', message: JSON.stringify(CREDENTIALS), status: 500 }));
  const issuer = await over({ attempts: 1 });
  const error = await issuer.issue(await anIssuance()).catch((each: unknown) => each);
  const text = JSON.stringify([error, String(error), (error as Error).stack]);
  for (const secret of Object.values(CREDENTIALS)) expect(text).not.toContain(secret);
});
