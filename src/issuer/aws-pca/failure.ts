import { KeyturnError } from '../../core/errors.ts';
import { type Reason, reasonOf } from '../../keystore/aws/failure/reason.ts';
import { issuerRefused, issuerUnavailable } from '../failure.ts';

/** What the connection says of secrets, said of authorities. */
const TEXTS: Readonly<Partial<Record<Reason, { readonly says: string; readonly fix: string }>>> = {
  absent: {
    says: 'AWS has no such certificate authority',
    fix: 'Check authority and account in the configuration of the issuer.',
  },
  invalid_state: {
    says: 'The certificate authority does not issue: it is disabled, expired or being deleted',
    fix: 'Look at it with aws acm-pca describe-certificate-authority.',
  },
  quota: {
    says: 'The account has as many certificates as AWS allows',
    fix: 'See the quotas of AWS Private CA under Service Quotas.',
  },
  unreachable: {
    says: "AWS Private CA can't be reached",
    fix: 'Check network, proxy and VPC endpoint, the region, and AWS_ENDPOINT_URL_ACM_PCA if it is set.',
  },
  not_visible: { says: 'The certificate is still being issued', fix: 'Ask again in a minute.' },
};

/** What was being done: nothing comes of a look; once there is an ARN there is a certificate, whatever goes wrong then. */
type Doing = 'a change' | 'a look' | { readonly arn: string };

/** An error of the connection, made the issuer's. A change that AWS finds invalid is refused: nothing came of it. */
export function asIssuerError(error: unknown, doing: Doing = 'a change'): unknown {
  const reason = reasonOf(error);
  if (!(error instanceof KeyturnError) || reason === null) return error;
  const { certain = false, ...facts } = error.facts;
  if (reason === 'bad_request' && certain === true && doing === 'a change') {
    return issuerRefused(
      'AWS finds the request invalid.',
      'Compare request and authority; CloudTrail says more.',
      facts,
    );
  }
  const { says, fix } = ('proxy' in facts ? undefined : TEXTS[reason]) ?? {};
  const text = fix ?? error.fix;
  return issuerUnavailable(says === undefined ? error.message : `${says}.`, {
    certain: doing === 'a look' || (doing === 'a change' && certain === true),
    facts: typeof doing === 'string' ? facts : { ...facts, certificateArn: doing.arn },
    ...(text === undefined ? {} : { fix: text }),
  });
}
