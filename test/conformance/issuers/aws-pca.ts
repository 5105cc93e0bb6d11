import { issuerAdapters } from '../../../src/issuer/registry.ts';
import { shippedIssuerPolicy } from '../../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../fakes/aws.ts';
import type { IssuerHarness, IssuerPlace } from './issuer.ts';

let aws: FakeAws | null = null;

async function start(): Promise<AsyncDisposable> {
  aws = await FakeAws.start();
  return aws;
}

/** ARN of an authority of its own, with a root certificate of its own, that says that it publishes revocations. */
export async function makeAuthority(server: FakeAws, revocations = true): Promise<string> {
  const ask = async (operation: string, input: object): Promise<Record<string, unknown>> => {
    const answer = await server.ask(`acm-pca:${operation}`, { ...input });
    if (answer === null) throw new Error(`moto refused ${operation}.`);
    return answer;
  };
  const made = await ask('CreateCertificateAuthority', {
    CertificateAuthorityType: 'ROOT',
    CertificateAuthorityConfiguration: {
      KeyAlgorithm: 'RSA_2048',
      SigningAlgorithm: 'SHA256WITHRSA',
      Subject: { CommonName: 'Acme root' },
    },
    RevocationConfiguration: { CrlConfiguration: { Enabled: revocations } },
  });
  const CertificateAuthorityArn = String(made['CertificateAuthorityArn']);
  const { Csr } = await ask('GetCertificateAuthorityCsr', { CertificateAuthorityArn });
  const { CertificateArn } = await ask('IssueCertificate', {
    CertificateAuthorityArn,
    Csr: Buffer.from(String(Csr)).toString('base64'),
    SigningAlgorithm: 'SHA256WITHRSA',
    TemplateArn: 'arn:aws:acm-pca:::template/RootCACertificate/V1',
    Validity: { Type: 'DAYS', Value: 3650 },
  });
  const { Certificate } = await ask('GetCertificate', { CertificateAuthorityArn, CertificateArn });
  const body = Buffer.from(String(Certificate)).toString('base64');
  await ask('ImportCertificateAuthorityCertificate', { CertificateAuthorityArn, Certificate: body });
  return CertificateAuthorityArn;
}

/** An authority of its own, by a role that holds the shipped policy for it and nothing else. */
async function makeAwsPlace(): Promise<IssuerPlace> {
  if (aws === null) throw new Error('The emulator was not started.');
  const authority = await makeAuthority(aws);
  aws.proxy.policies = [shippedIssuerPolicy(authority)];
  const { endpoint } = aws.connection;
  const options = { authority, ...(endpoint === undefined ? {} : { endpoint }) };
  const driver = await issuerAdapters['aws-pca'](options);
  return {
    driver,
    list: async () => null,
    reopen: () => issuerAdapters['aws-pca'](options),
    remove: () => driver.close(),
  };
}

const NO_EXTENSIONS = 'moto gives certificates of this template no extended key usage and no authority key identifier';
const A_YEAR = 'moto issues for a year, whatever it is asked';

/** What the emulator (moto 5.2.5) does not do, and AWS does: not proven here. */
export const awsPcaHarness: IssuerHarness = {
  start,
  makePlace: makeAwsPlace,
  exceptions: {
    'issues what was asked for, and nothing beyond': `${NO_EXTENSIONS}; ${A_YEAR}`,
    'issues for a client that OpenSSL accepts by the chain that comes with it': NO_EXTENSIONS,
    'issues for no longer than was asked': A_YEAR,
    'refuses a request that is not signed with its own key, and says that nothing was issued':
      'moto does not verify requests',
    'gives one certificate for one issuance, however often it is resumed, where it can tell':
      'moto ignores the idempotency token',
    'puts what it has revoked on a list by which OpenSSL refuses it, and nothing else': 'moto publishes no list',
    'revokes nothing that it has not issued': 'moto takes any serial number',
  },
};
