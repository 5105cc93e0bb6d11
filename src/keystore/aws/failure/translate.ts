import { ProxyError } from '../../../core/egress/proxy-error.ts';
import type { KeyturnError } from '../../../core/errors.ts';
import type { Attempts } from './attempts.ts';
import { actionNamed, classify, deniedBy, speaksOfKms } from './classify.ts';
import { type Call, KMS_ACTIONS, OPERATIONS } from './operation.ts';
import { awsError, REASONS, type Reason } from './reason.ts';

/** What an SDK call threw, made ours. Certain only if each of its attempts was. */
export function translate(thrown: unknown, call: Call, attempts: Attempts): KeyturnError {
  const error = tellingError(thrown, call, attempts);
  const reason = classify(error, call.operation);
  const certain = isCertain(reason, call, attempts);
  if (reason === 'forbidden') return forbidden(error, call, certain);
  const asked = `(${call.operation}, ${call.about}, ${call.region})`;
  if (error instanceof ProxyError) {
    const facts = { proxy: error.proxy.origin };
    return awsError(reason, `${error.message.replace(/\.$/, '')} ${asked}.`, { certain, fix: error.fix, facts });
  }
  const { says, fix } = TEXTS[reason];
  const message = `${says} ${asked}.`;
  return awsError(reason, message, {
    certain,
    fix: fix.replaceAll('%KEY%', KMS_ACTIONS[call.operation] ?? OPERATIONS[call.operation][0]),
  });
}

/** A deadline that came while the SDK waited between attempts says less than the attempt before it. */
function tellingError(thrown: unknown, { operation }: Call, { started, errors }: Attempts): unknown {
  return started === errors.length && classify(thrown, operation) === 'timeout' ? (errors.at(-1) ?? thrown) : thrown;
}

function isCertain(reason: Reason, { operation }: Call, { started, errors }: Attempts): boolean {
  if (started === 0) return true;
  if (!REASONS[reason].certain) return false;
  return errors.every((error) => REASONS[classify(error, operation)].certain);
}

function forbidden(error: unknown, call: Call, certain: boolean): KeyturnError {
  const own = OPERATIONS[call.operation];
  const kms = speaksOfKms(error) ? KMS_ACTIONS[call.operation] : undefined;
  const action = kms ?? actionNamed(error, own) ?? own[0];
  const where = kms === undefined ? call.about : `the KMS key of ${call.about}`;
  const denier = deniedBy(error);
  const by = denier === null ? '' : `, by ${denier}`;
  return awsError('forbidden', `AWS denied ${action} on ${where} in ${call.region}${by}.`, {
    certain,
    fix:
      denier === null
        ? `Allow it as policies/aws/${POLICIES[action] ?? call.policy} does${CONDITIONS[action] ?? ''}. If the role's policy already ` +
          'does, look for a denial in a key policy, resource policy, permissions boundary or service control policy.'
        : `More in the role's policy changes nothing: have it let through by ${denier}.`,
    facts: { action, resource: where, ...(denier === null ? {} : { denier }) },
  });
}

/** Shipped policies that grant what the one of the call leaves out. */
const POLICIES: Readonly<Record<string, string>> = {
  'secretsmanager:ReplicateSecretToRegions': 'keyturn-replicas.json',
  'secretsmanager:RemoveRegionsFromReplication': 'keyturn-replicas.json',
};

/** What of a statement's condition follows from the settings of the store. */
const CONDITIONS: Readonly<Record<string, string>> = {
  'secretsmanager:TagResource': ', with the keys of your own tags under aws:TagKeys',
  'secretsmanager:DeleteSecret':
    ', where deletion is a number of days with {"NumericEquals":{"secretsmanager:RecoveryWindowInDays":"DAYS"}} as its condition',
  'secretsmanager:CreateSecret': ', with the ARN of kms-key in its condition, and without it where there is none',
};

const TEXTS: Readonly<Record<Reason, { readonly says: string; readonly fix: string }>> = {
  unreachable: {
    says: "AWS can't be reached",
    fix: 'Check network, proxy and VPC endpoint, the region, and AWS_ENDPOINT_URL_SECRETS_MANAGER if it is set.',
  },
  tls: {
    says: 'The certificate of what answers for AWS is refused',
    fix: 'Check the endpoint. Behind an inspecting proxy, name its CA in NODE_EXTRA_CA_CERTS.',
  },
  proxy: { says: 'The proxy refuses the way to AWS', fix: 'Check HTTPS_PROXY.' },
  lost: { says: 'The connection to AWS broke before it answered', fix: 'Check the network; it will be tried again.' },
  timeout: { says: 'AWS did not answer in time', fix: 'Check the network and the AWS Health Dashboard.' },
  server_error: { says: 'AWS failed', fix: 'See the AWS Health Dashboard; it will be tried again.' },
  not_aws: {
    says: 'What answered does not speak as AWS does',
    fix: 'Check the endpoint; a proxy, a portal or another service may stand there.',
  },
  throttled: {
    says: 'AWS refused the call for its rate, also after waiting',
    fix: 'See the request quotas of this account and region under Service Quotas, and who else uses them.',
  },
  credentials: {
    says: 'AWS does not accept the credentials',
    fix: 'Check the access key and its account: aws sts get-caller-identity',
  },
  token_expired: {
    says: 'The session token of the AWS credentials has expired',
    fix: 'Renew them (aws sso login, or a fresh session), or let a role of the machine provide them.',
  },
  clock_skew: {
    says: "AWS refuses the time of this machine's clock",
    fix: 'Set the clock by NTP: timedatectl set-ntp true',
  },
  forbidden: { says: 'AWS denied the call', fix: '' },
  kms: {
    says: 'The KMS key does not serve: it is missing, disabled, pending deletion, or another than the data was encrypted with',
    fix: 'Check the key with aws kms describe-key, and that its policy allows %KEY% to the role of Keyturn.',
  },
  quota: {
    says: 'The account has as many of these as AWS allows',
    fix: 'Destroy what is not needed, or ask for a higher quota (500,000 secrets a region by default).',
  },
  bad_request: { says: 'AWS finds the request invalid', fix: 'Check prefix, tags and replica regions.' },
  absent: { says: 'AWS has no such secret', fix: 'Check region, account and prefix.' },
  exists: { says: 'AWS has a secret of this name', fix: 'Check who else writes under this prefix.' },
  invalid_state: {
    says: 'The state of the secret does not allow this; it may be scheduled for deletion',
    fix: 'Look at it with aws secretsmanager describe-secret.',
  },
  not_visible: { says: 'AWS does not yet show what was written', fix: 'Try again in a minute.' },
  circuit_open: {
    says: 'AWS failed several times in a row and is left alone for some seconds',
    fix: 'See the errors before this one; the next attempt comes by itself.',
  },
  closed: { says: 'The key store is closed', fix: 'Start Keyturn again.' },
};
