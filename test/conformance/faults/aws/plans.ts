import {
  answering,
  delaying,
  type Fault,
  type FaultPlan,
  hanging,
  hangingAfterwards,
  losingAnswers,
  redirectingTo,
  refusing,
  resetting,
  send,
  shortening,
  stalling,
  truncating,
} from '../../../fakes/aws/fault.ts';

const always =
  (fault: Fault): FaultPlan =>
  () =>
    fault;
const once =
  (fault: Fault): FaultPlan =>
  (_, nth) =>
    nth === 1 ? fault : null;
/** A health check makes as many attempts as a verb, so that it is told apart where only the first of a verb is struck. */
const onceButHealth =
  (fault: Fault): FaultPlan =>
  ({ input }, nth) =>
    nth === 1 && !String(input['SecretId']).endsWith('/health') ? fault : null;
const isChange = (operation: string) => operation === 'CreateSecret' || operation === 'DeleteSecret';
const onChanges =
  (fault: Fault): FaultPlan =>
  ({ operation }) =>
    isChange(operation) ? fault : null;
/** The answer of a change is lost, and its repetition is refused. */
const lostThen =
  (fault: Fault): FaultPlan =>
  ({ operation }, nth) => {
    if (!isChange(operation)) return null;
    return nth === 1 ? losingAnswers : fault;
  };

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

/** What the proxy does, where the store is opened as on a good day. */
export function plans(elsewhere: string): Readonly<Record<string, FaultPlan>> {
  return {
    'throttled once': onceButHealth(THROTTLING),
    throttled: always(THROTTLING),
    'throttled in the middle of a write': ({ operation }, nth) =>
      operation === 'GetSecretValue' && nth >= 1 ? THROTTLING : null,
    'HTTP 429 of a proxy': always(answering(429, 'text/html', '<h1>Too many</h1>')),
    'HTTP 500 once': once(refusal('InternalServiceError', '', 500)),
    'HTTP 500 without end': always(refusal('InternalServiceError', '', 500)),
    'HTTP 503 of a proxy, HTML': always(answering(503, 'text/html', '<h1>Unavailable</h1>')),
    'HTTP 404 of a proxy, HTML': always(answering(404, 'text/html', '<h1>Not found</h1>')),
    'wrong content type, 200': always(answering(200, 'text/html', '<h1>Log in to the network</h1>')),
    'another JSON, 200': always(answering(200, 'application/x-amz-json-1.1', '{"hello":"world"}')),
    'answer of another secret': always(CONFUSED),
    'redirect elsewhere': always(redirectingTo(elsewhere)),
    'quota of secrets reached': ({ operation }) =>
      operation === 'CreateSecret' ? refusal('LimitExceededException', '') : null,
    'credentials expired': always(refusal('ExpiredTokenException', 'The security token included is expired')),
    'credentials unknown to AWS': always(refusal('UnrecognizedClientException', 'The token is invalid')),
    'signature wrong': always(refusal('InvalidSignatureException', 'The signature does not match')),
    'clock skew': always(refusal('InvalidSignatureException', LATE)),
    'clock skew that the SDK corrects': once(
      refusing({
        type: 'InvalidSignatureException',
        message: LATE,
        headers: { date: 'Thu, 01 Jan 2099 00:00:00 GMT' },
      }),
    ),
    'reset before AWS heard': always(resetting),
    'reset once': once(resetting),
    'lost answer once': once(losingAnswers),
    'lost answers without end': always(losingAnswers),
    'lost answers of changes': onChanges(losingAnswers),
    'lost answer, then denied': lostThen(refusal('AccessDeniedException', 'not authorized')),
    'lost answer, then throttled': lostThen(THROTTLING),
    'truncated body': always(truncating),
    'shortened body': always(shortening),
    'slow but in time': always(delaying(30)),
  };
}

/** The same, where the store is opened with little patience. */
export const HURRIED_PLANS: Readonly<Record<string, FaultPlan>> = {
  hang: always(hanging),
  'changes that hang after they happened': onChanges(hangingAfterwards),
  'body that stops': always(stalling),
  'too slow': always(delaying(1_200)),
};

export const HANG_ONCE: FaultPlan = onceButHealth(hanging);
