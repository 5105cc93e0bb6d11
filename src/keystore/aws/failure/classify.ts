import { ProxyError, REASONS_OF_PROXIES } from '../../../core/egress/proxy-error.ts';
import { isCertificateCode } from '../../../core/io/node-code.ts';
import { OPERATIONS, type Operation } from './operation.ts';
import type { Reason } from './reason.ts';

/**
 * Error names of AWS Secrets Manager, AWS KMS and AWS Private CA (API references, "Errors" of each operation and "Common Errors").
 * Where one means different things for different operations, `classify` decides.
 */
const NAMES: Readonly<Record<string, Reason>> = {
  ResourceNotFoundException: 'absent',
  ResourceExistsException: 'exists',
  InvalidRequestException: 'invalid_state',
  InvalidParameterException: 'bad_request',
  InvalidParameterValue: 'bad_request',
  ValidationException: 'bad_request',
  ValidationError: 'bad_request',
  InvalidNextTokenException: 'bad_request',
  MalformedPolicyDocumentException: 'bad_request',
  PreconditionNotMetException: 'bad_request',
  LimitExceededException: 'quota',
  InternalServiceError: 'server_error',
  InternalFailure: 'server_error',
  InternalServiceFailure: 'server_error',
  ServiceUnavailable: 'server_error',
  KMSInternalException: 'server_error',
  DependencyTimeoutException: 'server_error',
  AccessDeniedException: 'forbidden',
  AccessDenied: 'forbidden',
  NotAuthorized: 'forbidden',
  OptInRequired: 'forbidden',
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  ThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  RequestLimitExceeded: 'throttled',
  SlowDown: 'throttled',
  DecryptionFailure: 'kms',
  EncryptionFailure: 'kms',
  DisabledException: 'kms',
  KMSInvalidStateException: 'kms',
  KeyUnavailableException: 'kms',
  NotFoundException: 'kms',
  InvalidCiphertextException: 'kms',
  IncorrectKeyException: 'kms',
  InvalidKeyUsageException: 'kms',
  InvalidArnException: 'kms',
  InvalidArgsException: 'bad_request',
  MalformedCSRException: 'bad_request',
  InvalidStateException: 'invalid_state',
  RequestFailedException: 'server_error',
  RequestInProgressException: 'not_visible',
  RequestAlreadyProcessedException: 'exists',
  ExpiredTokenException: 'token_expired',
  ExpiredToken: 'token_expired',
  RequestExpired: 'clock_skew',
  RequestInTheFuture: 'clock_skew',
  RequestTimeTooSkewed: 'clock_skew',
  UnrecognizedClientException: 'credentials',
  InvalidClientTokenId: 'credentials',
  IncompleteSignature: 'credentials',
  MissingAuthenticationTokenException: 'credentials',
  MissingAuthenticationToken: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  InvalidSignatureException: 'credentials',
  CredentialsProviderError: 'credentials',
  TokenProviderError: 'credentials',
  TimeoutError: 'timeout',
  AbortError: 'timeout',
};

const NOT_CONNECTED = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/;
const LOST = /^(?:ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/;

/** Why one attempt failed. What AWS wrote is matched here, and goes no further. */
export function classify(error: unknown, operation: Operation): Reason {
  if (error instanceof ProxyError) return REASONS_OF_PROXIES[error.failure];
  const { name, message, code, status } = featuresOf(error);
  if (isCertificateCode(code)) return 'tls';
  if (NOT_CONNECTED.test(code) || /did not establish a connection|connection within/i.test(message)) {
    return 'unreachable';
  }
  // The SDK calls these a TimeoutError as well, so that the code goes first.
  if (LOST.test(code) || message.includes('socket hang up')) return 'lost';
  if (name === 'InvalidSignatureException' && /expired|not yet current/i.test(message)) return 'clock_skew';
  if (name === 'ResourceNotFoundException' && operation === 'CreateSecret') return 'kms';
  if (name === 'InvalidArnException' && OPERATIONS[operation][0].startsWith('acm-pca:')) return 'bad_request';
  const known = NAMES[name];
  if (known !== undefined) return known;
  if (status >= 500) return 'server_error';
  if (status === 429) return 'throttled';
  return 'not_aws';
}

/** Whether a denial speaks of the key of AWS KMS rather than of the secret. */
export function speaksOfKms(error: unknown): boolean {
  return /\bkms\b/i.test(featuresOf(error).message);
}

/**
 * What denies although the role's own policy may allow, where AWS says so (IAM user guide, "Access denied error messages").
 * Null where nothing allows it, or AWS does not say.
 */
export function deniedBy(error: unknown): string | null {
  const { message } = featuresOf(error);
  const explicit = /with an explicit deny(?: in (an?) ([a-z ]{3,40}? (?:policy|boundary)))?/i.exec(message);
  if (explicit !== null) return explicit[2] === undefined ? 'some policy' : `${explicit[1]} ${explicit[2]}`;
  const lacking =
    /because no (VPC endpoint|service control|resource control|session|permissions) (policy|boundary) allows/i.exec(
      message,
    );
  return lacking === null ? null : `a ${lacking[1]} ${lacking[2]}`;
}

/** Which of these IAM actions a denial names; null when none. */
export function actionNamed(error: unknown, actions: readonly string[]): string | null {
  const { message } = featuresOf(error);
  return actions.find((action) => new RegExp(`\\b${action}\\b`, 'i').test(message)) ?? null;
}

function featuresOf(error: unknown) {
  if (!(error instanceof Error)) return { name: '', message: '', code: '', status: 0 };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const metadata: unknown = '$metadata' in error ? error.$metadata : null;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? Number(metadata.httpStatusCode)
      : 0;
  return { name: error.name, message: error.message, code, status };
}
