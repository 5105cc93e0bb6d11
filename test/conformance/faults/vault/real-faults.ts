import { setImmediate as turn } from 'node:timers/promises';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import { callBao } from '../../../fakes/openbao/api.ts';
import { FaultProxy } from '../../../fakes/openbao/fault-proxy.ts';
import { OpenBaoProcess } from '../../../fakes/openbao/process.ts';
import type { OpenBao } from '../../../fakes/openbao.ts';
import { clockSkew } from './clock-skew.ts';
import { armed, hurried, openAt, POLICY, patient, type VaultFault, type VaultPlace } from './place.ts';
import type { VaultStage } from './stage.ts';

/** What a real server does when it is brought there. */
export function realFaults(stage: VaultStage): Record<string, VaultFault> {
  const { server, token } = stage;
  const direct = hurried(server, token);
  const open = (place: VaultPlace) => openAt(place, () => direct);
  return {
    'no fault': { open: (place) => openAt(place, () => patient(direct)) },
    sealed: { open, arm: () => server.seal(), lift: () => server.unseal() },
    'sealed later': { open, strike: () => server.seal(), lift: () => server.unseal() },
    'not initialised': uninitialised(server, token),
    'down at start': { open: (place) => openAt(place, () => hurried(server, token, 'https://127.0.0.1:1')) },
    'down later': downLater(stage),
    'frozen process': {
      open,
      arm: async () => server.process.signal('SIGSTOP'),
      lift: async () => server.process.signal('SIGCONT'),
    },
    'token revoked': armed(async () => hurried(server, await revoked(server))),
    'clock skew': clockSkew(server),
    'credentials expired': armed(async () => hurried(server, await expired(server))),
    'policy missing': armed(async () =>
      hurried(server, await server.token(['grants-nothing'], { no_default_policy: false })),
    ),
    'mount missing': armed(() => atMount(server, 'missing')),
    'KV version 1': armed(
      async () => {
        await server.root({ path: 'sys/mounts/old', body: { type: 'kv', options: { version: '1' } } });
        return atMount(server, 'old');
      },
      { elsewhere: true },
    ),
    'namespace missing': { open: (place) => openAt(place, () => ({ ...direct, namespace: 'missing' })) },
    throttled: {
      open,
      arm: async () => {
        await server.root({ path: 'sys/quotas/rate-limit/q', body: { path: 'secret/', rate: 0.001, interval: '1h' } });
        await server.root({ path: 'secret/metadata/x?list=1' }).catch(() => {});
      },
      lift: async () => {
        await server.root({ path: 'sys/quotas/rate-limit/q', method: 'DELETE' });
      },
    },
    'wrong CA': {
      open: (place) =>
        openAt(place, () => ({ ...direct, environment: { ...direct.environment, BAO_CACERT_BYTES: undefined } })),
    },
  };
}

function uninitialised(server: OpenBao, token: string): VaultFault {
  let fresh: OpenBaoProcess | null = null;
  return armed(
    async () => {
      fresh = await OpenBaoProcess.start({ server: await server.ca.server(), caPem: server.ca.certificatePem });
      return hurried(server, token, fresh.url);
    },
    { lift: async () => fresh?.stop() },
  );
}

function downLater({ server, token }: VaultStage): VaultFault {
  let proxy: FaultProxy | null = null;
  return armed(
    async () => {
      const at = { upstream: server.url, ca: server.ca.certificatePem };
      proxy = await FaultProxy.start({ ...at, server: await server.ca.server() });
      return hurried(server, token, proxy.url);
    },
    {
      strike: async () => {
        await proxy?.[Symbol.asyncDispose]();
        // Connections that were kept are closed by now; the client hears of it in this turn.
        await turn();
        await turn();
      },
    },
  );
}

async function revoked(server: OpenBao): Promise<string> {
  const token = await server.token(['keyturn']);
  await server.root({ path: 'auth/token/revoke', body: { token } });
  return token;
}

/** A token whose life of one second is over. */
async function expired(server: OpenBao): Promise<string> {
  const token = await server.token(['keyturn'], { ttl: '1s', renewable: false });
  for (let asked = 0; asked < 500; asked += 1) {
    const { status } = await callBao(server.url, server.ca.certificatePem, { path: 'auth/token/lookup-self', token });
    if (status === 403 && asked > 10) return token;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('The token did not expire.');
}

/** By a token that holds the shipped policy for this mount. */
async function atMount(server: OpenBao, mount: string): Promise<VaultStoreOptions> {
  await server.policy(mount, POLICY.replaceAll('secret/', `${mount}/`));
  return { ...hurried(server, await server.token([mount])), mount };
}
