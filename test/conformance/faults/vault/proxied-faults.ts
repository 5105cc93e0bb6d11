import {
  afterChanges,
  answering,
  answeringWith,
  delaying,
  type Fault,
  hanging,
  losingAnswers,
  only,
  redirectingTo,
  resetting,
  shortening,
  truncating,
} from '../../../fakes/openbao/fault-proxy.ts';
import { hurried, openAt, patient, type VaultFault } from './place.ts';
import type { VaultStage } from './stage.ts';

const METHODS = ['GET', 'POST', 'DELETE'];

/** What needs a proxy before the server. */
export function proxiedFaults(stage: VaultStage): Record<string, VaultFault> {
  const { server, token, proxy, elsewhere, expired, early } = stage;
  const options = hurried(server, token, proxy.url);
  // Logging in works, so that the fault meets the verb itself.
  const through = (fault: Fault, opened = options): VaultFault => ({
    arm: async () => {
      proxy.fault = only(METHODS, /^\/v1\/(?:secret|sys\/health)/, fault);
    },
    open: (place) => openAt(place, () => opened),
    lift: async () => {
      proxy.fault = null;
    },
  });
  const changing = (fault: Fault) => through(only(['POST', 'DELETE'], /\/(?:data|metadata)\//, fault));
  const refusing = (status: number) => through(answering(status));
  return {
    'HTTP 412 behind': refusing(412),
    'HTTP 429 with a long Retry-After': through(answering(429, { 'Retry-After': '60' })),
    'HTTP 472 secondary': refusing(472),
    'HTTP 473 performance standby': refusing(473),
    'HTTP 474 standby without active': refusing(474),
    'HTTP 500': refusing(500),
    'HTTP 502 of a proxy, HTML': through(answeringWith(502, 'text/html', '<h1>Bad Gateway</h1>')),
    'HTTP 530 removed': refusing(530),
    'wrong content type, 200': through(answeringWith(200, 'text/html', '<h1>Welcome</h1>')),
    'another JSON, 200': through(answeringWith(200, 'application/json', '{"hello":"world"}')),
    'another JSON, 404': through(answeringWith(404, 'application/json', '{"message":"not found"}')),
    'redirect elsewhere': through(redirectingTo(elsewhere.url)),
    'redirect to a named node': through(redirectingTo(server.url), { ...patient(options), followTo: [server.url] }),
    hang: through(hanging),
    'reset before the server heard': through(resetting),
    'truncated body': through(truncating),
    'shortened body': through(shortening),
    'slow but in time': through(delaying(60), patient(options)),
    'too slow': through(delaying(5_000)),
    'lost answers of changes': changing(losingAnswers),
    'late answers of changes': changing(delaying(5_000)),
    'reset of changes': changing(resetting),
    'denied in the middle of a write': changing(answering(403)),
    'denied after the change': through(afterChanges(folderOf, answering(403))),
    'sealed after the change': through(afterChanges(folderOf, answering(503))),
    'server certificate expired': { open: (place) => openAt(place, () => hurried(server, token, expired.url)) },
    'server certificate not yet valid': { open: (place) => openAt(place, () => hurried(server, token, early.url)) },
  };
}

/** Each cell has a folder of its own. */
function folderOf(path: string): string | null {
  return /\/(?:data|metadata)\/keyturn\/(cell-\d+)\//.exec(path)?.[1] ?? null;
}
