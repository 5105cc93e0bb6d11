import type { AwsStoreOptions } from '../../../../src/keystore/aws/options.ts';
import {
  answering,
  delaying,
  type Fault,
  type FaultPlan,
  hanging,
  hangingAfterwards,
  losingAnswers,
  refusing,
  resetting,
  send,
  shortening,
  stalling,
  truncating,
} from '../../../fakes/aws/fault.ts';
import type { FakeAws } from '../../../fakes/aws.ts';
import type { Cell } from './cell.ts';

/** What goes wrong in a row of the table. */
export interface PlantedFault {
  readonly plan?: FaultPlan;
  /** Otherwise than a healthy store is opened. */
  readonly options?: AwsStoreOptions;
  /** Actions that are taken from the shipped policy. */
  readonly without?: readonly string[];
  /** Of one cell before its verb, and of all afterwards. */
  readonly arm?: (cell: Cell) => Promise<void>;
  readonly disarm?: () => Promise<void>;
}

/** Patience for a busy machine, where nothing is waited for in vain. */
export const PATIENT = { connectMs: 5_000, attemptMs: 5_000, callMs: 12_000, attempts: 2 } as const;

/** So that hanging takes little time. */
const HURRIED = { connectMs: 500, attemptMs: 500, callMs: 3_000 } as const;

const always =
  (fault: Fault): FaultPlan =>
  () =>
    fault;
const once =
  (fault: Fault): FaultPlan =>
  (_, nth) =>
    nth === 1 ? fault : null;
/** A health check waits at most a second, which may or may not be enough for the second attempt. */
const onceButHealth =
  (fault: Fault): FaultPlan =>
  ({ input }, nth) =>
    nth === 1 && !String(input['SecretId']).endsWith('/health') ? fault : null;
const onChanges =
  (fault: Fault): FaultPlan =>
  ({ operation }) =>
    operation === 'CreateSecret' || operation === 'DeleteSecret' ? fault : null;

const refusal = (type: string, message: string, status = 400) => refusing({ type, message, status });
const THROTTLING = refusal('ThrottlingException', 'Rate exceeded');
const LATE = 'Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z';

/** Another secret's answer, in the right form. */
const CONFUSED: Fault = {
  forwarded: true,
  answer: (response, real) => {
    if (real === null) return;
    const body = Buffer.from(
      real.body
        .toString()
        .replaceAll('versions/fault', 'versions/other')
        .replaceAll(/"VersionId": "../g, '"VersionId": "zz'),
    );
    send(response, { ...real, body });
  },
};

export function plantedFaults(aws: FakeAws, kmsKeyId: string): Readonly<Record<string, PlantedFault>> {
  return {
    'no fault': {},
    'throttled once': { plan: onceButHealth(THROTTLING) },
    'throttled without end': { plan: always(THROTTLING) },
    'HTTP 429 of a proxy': { plan: always(answering(429, 'text/html', '<h1>Too many</h1>')) },
    'HTTP 500 once': { plan: once(refusal('InternalServiceError', '', 500)) },
    'HTTP 500 without end': { plan: always(refusal('InternalServiceError', '', 500)) },
    'HTTP 503 of a proxy, HTML': { plan: always(answering(503, 'text/html', '<h1>Unavailable</h1>')) },
    'HTTP 404 of a proxy, HTML': { plan: always(answering(404, 'text/html', '<h1>Not found</h1>')) },
    'wrong content type, 200': { plan: always(answering(200, 'text/html', '<h1>Log in to the network</h1>')) },
    'another JSON, 200': { plan: always(answering(200, 'application/x-amz-json-1.1', '{"hello":"world"}')) },
    'answer of another secret': { plan: always(CONFUSED) },
    'redirect elsewhere': { plan: always(answering(307, 'text/html', '')) },
    'all denied': { without: ['*'] },
    'reading denied in the middle of a write': { without: ['secretsmanager:GetSecretValue'] },
    'use of the KMS key denied': { without: ['kms:Decrypt'] },
    'KMS key disabled': { arm: () => aws.switchKey(kmsKeyId, false), disarm: () => aws.switchKey(kmsKeyId, true) },
    'KMS key that the policy does not name': { options: { kmsKeyId: kmsKeyId.replace(/.{4}$/, 'ffff') } },
    'secret scheduled for deletion': {
      arm: async ({ prefix }) => {
        for (const record of ['versions/fault/cell/1', 'versions/fault/cell/2']) {
          const SecretId = `${prefix}/${record}`;
          await aws.ask('secretsmanager:CreateSecret', { Name: SecretId, SecretString: 'x' });
          await aws.ask('secretsmanager:DeleteSecret', { SecretId, RecoveryWindowInDays: 7 });
        }
      },
    },
    'a secret stands there already': {
      arm: async ({ prefix }) => {
        await aws.ask('secretsmanager:CreateSecret', { Name: `${prefix}/versions/fault/cell/2`, SecretString: 'x' });
      },
    },
    'quota of secrets reached': {
      plan: ({ operation }) => (operation === 'CreateSecret' ? refusal('LimitExceededException', '') : null),
    },
    'token expired': { plan: always(refusal('ExpiredTokenException', 'The security token included is expired')) },
    'credentials unknown to AWS': { plan: always(refusal('UnrecognizedClientException', 'The token is invalid')) },
    'signature wrong': { plan: always(refusal('InvalidSignatureException', 'The signature does not match')) },
    'clock skew without end': { plan: always(refusal('InvalidSignatureException', LATE)) },
    'clock skew that the SDK corrects': {
      plan: once(
        refusing({
          type: 'InvalidSignatureException',
          message: LATE,
          headers: { date: 'Thu, 01 Jan 2099 00:00:00 GMT' },
        }),
      ),
    },
    'nobody listens': { options: { endpoint: 'http://127.0.0.1:1' } },
    'no TLS where TLS is expected': { options: { endpoint: aws.proxy.url.replace('http:', 'https:') } },
    hang: { plan: always(hanging), options: HURRIED },
    'hang once': { plan: onceButHealth(hanging), options: { attemptMs: 1_500 } },
    'reset before AWS heard': { plan: always(resetting) },
    'reset once': { plan: once(resetting) },
    'lost answer once': { plan: once(losingAnswers) },
    'lost answers without end': { plan: always(losingAnswers) },
    'lost answers of changes': { plan: onChanges(losingAnswers) },
    'changes that hang after they happened': { plan: onChanges(hangingAfterwards), options: HURRIED },
    'lost answer, then denied': {
      plan: ({ operation }, nth) => {
        if (operation !== 'CreateSecret' && operation !== 'DeleteSecret') return null;
        return nth === 1 ? losingAnswers : refusal('AccessDeniedException', 'not authorized');
      },
    },
    'lost answer, then throttled': {
      plan: ({ operation }, nth) => {
        if (operation !== 'CreateSecret' && operation !== 'DeleteSecret') return null;
        return nth === 1 ? losingAnswers : THROTTLING;
      },
    },
    'truncated body': { plan: always(truncating) },
    'shortened body': { plan: always(shortening) },
    'body that stops': { plan: always(stalling), options: HURRIED },
    'slow but in time': { plan: always(delaying(30)) },
    'too slow': { plan: always(delaying(1_200)), options: HURRIED },
  };
}
