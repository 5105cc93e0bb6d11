import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import {
  answering,
  answeringWith,
  delaying,
  type Fault,
  type FaultProxy,
  hanging,
  losingAnswers,
  only,
  redirectingTo,
  resetting,
  shortening,
  truncating,
} from '../../../fakes/openbao/fault-proxy.ts';
import { OpenBaoProcess } from '../../../fakes/openbao/process.ts';
import type { OpenBao } from '../../../fakes/openbao.ts';
import { hurried, type PlantedFault, POLICY } from './scenario.ts';

const METHODS = ['GET', 'POST', 'DELETE'];

/** What the faults are planted with. */
export interface FaultStage {
  readonly server: OpenBao;
  /** Holds the shipped policy. */
  readonly token: string;
  readonly proxy: FaultProxy;
  readonly elsewhere: FaultProxy;
  readonly expired: FaultProxy;
  readonly standbyUrl: string;
}

/** What a real server does when it is brought there. */
export function realFaults({ server, token, standbyUrl }: FaultStage): Record<string, PlantedFault> {
  const direct = hurried(server, token);
  let fresh: OpenBaoProcess | null = null;
  return {
    'no fault': { arm: async () => direct },
    sealed: { arm: async () => server.seal().then(() => direct), disarm: () => server.unseal() },
    'not initialised': {
      arm: async () => {
        const identity = await server.ca.server();
        fresh = await OpenBaoProcess.start({ server: identity, caPem: server.ca.certificatePem });
        return hurried(server, token, fresh.url);
      },
      disarm: async () => fresh?.stop(),
    },
    'nobody listens': { arm: async () => hurried(server, token, 'https://127.0.0.1:1') },
    'frozen process': {
      arm: async () => {
        server.process.signal('SIGSTOP');
        return direct;
      },
      disarm: async () => server.process.signal('SIGCONT'),
    },
    'standby that forwards': { arm: async () => ({ ...hurried(server, token, standbyUrl), timeoutMs: 2_000 }) },
    'token revoked': {
      arm: async () => {
        const revoked = await server.token(['keyturn']);
        await server.root({ path: 'auth/token/revoke', body: { token: revoked } });
        return hurried(server, revoked);
      },
    },
    'policy missing': {
      arm: async () => hurried(server, await server.token(['grants-nothing'], { no_default_policy: false })),
    },
    'mount missing': { arm: () => atMount(server, 'missing') },
    'KV version 1': {
      arm: async () => {
        await server.root({ path: 'sys/mounts/old', body: { type: 'kv', options: { version: '1' } } });
        return atMount(server, 'old');
      },
    },
    'namespace missing': { arm: async () => ({ ...direct, namespace: 'missing' }) },
    'rate limit': {
      arm: async () => {
        await server.root({ path: 'sys/quotas/rate-limit/q', body: { path: 'secret/', rate: 0.001, interval: '1h' } });
        await server.root({ path: 'secret/metadata/x?list=1' }).catch(() => {});
        return direct;
      },
      disarm: async () => {
        await server.root({ path: 'sys/quotas/rate-limit/q', method: 'DELETE' });
      },
    },
    'wrong CA': {
      arm: async () => ({
        ...direct,
        environment: { ...direct.environment, BAO_CACERT_BYTES: undefined, BAO_CACERT: undefined },
      }),
    },
  };
}

/** By a token that holds the shipped policy for this mount. */
async function atMount(server: OpenBao, mount: string): Promise<VaultStoreOptions> {
  await server.policy(mount, POLICY.replaceAll('secret/', `${mount}/`));
  return { ...hurried(server, await server.token([mount])), mount };
}

/** What needs a proxy before the server. */
export function proxiedFaults(stage: FaultStage): Record<string, PlantedFault> {
  const { server, token, proxy, elsewhere, expired } = stage;
  const through = (fault: Fault, options = hurried(server, token, proxy.url)): PlantedFault => ({
    arm: async () => {
      proxy.fault = only(METHODS, /^\/v1\/(?:secret|sys\/health)/, fault);
      return options;
    },
    disarm: async () => {
      proxy.fault = null;
    },
  });
  // Logging in works, so that the fault meets the verb itself.
  const changing = (fault: Fault) => through(only(['POST', 'DELETE'], /\/(?:data|metadata)\//, fault));
  return {
    'HTTP 412 behind': through(answering(412)),
    'HTTP 429 with a long Retry-After': through(answering(429, { 'Retry-After': '60' })),
    'HTTP 472 secondary': through(answering(472)),
    'HTTP 473 performance standby': through(answering(473)),
    'HTTP 474 standby without active': through(answering(474)),
    'HTTP 500': through(answering(500)),
    'HTTP 502 of a proxy, HTML': through(answeringWith(502, 'text/html', '<h1>Bad Gateway</h1>')),
    'HTTP 530 removed': through(answering(530)),
    'wrong content type, 200': through(answeringWith(200, 'text/html', '<h1>Welcome</h1>')),
    'another JSON, 200': through(answeringWith(200, 'application/json', '{"hello":"world"}')),
    'another JSON, 404': through(answeringWith(404, 'application/json', '{"message":"not found"}')),
    'redirect elsewhere': through(redirectingTo(elsewhere.url)),
    'redirect to a named node': through(redirectingTo(server.url), {
      ...hurried(server, token, proxy.url),
      followTo: [server.url],
    }),
    hang: through(hanging),
    'reset before the server heard': through(resetting),
    'truncated body': through(truncating),
    'shortened body': through(shortening),
    'too slow': through(delaying(5_000)),
    'lost answers of changes': changing(losingAnswers),
    'late answers of changes': changing(delaying(5_000)),
    'reset of changes': changing(resetting),
    'HTTP 403 in the middle of a change': changing(answering(403)),
    'expired certificate': { arm: async () => hurried(server, token, expired.url) },
  };
}
