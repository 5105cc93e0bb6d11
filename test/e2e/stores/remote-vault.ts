import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keyStoreAdapters } from '../../../src/keystore/registry.ts';
import {
  afterChanges,
  delaying,
  echoing,
  type Fault,
  FaultProxy,
  hanging,
  only,
  resetting,
  shortening,
} from '../../fakes/openbao/fault-proxy.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { textCanary } from '../canary/search/secrets.ts';
import { type RemoteStore, SLOW_MS, type StoreMood } from './remote-store.ts';

const POLICIES = ['keyturn', 'keyturn-adopt'] as const;
const shipped = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../policies/vault/${name}.hcl`, import.meta.url)), 'utf8');

export async function startRemoteVault(): Promise<RemoteStore> {
  const server = await OpenBao.start();
  const ca = server.ca.certificatePem;
  const proxy = await FaultProxy.start({ server: await server.ca.server(), upstream: server.url, ca });
  for (const name of POLICIES) await server.policy(name, shipped(name));
  const token = await server.token(POLICIES);
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: ca, BAO_TOKEN: server.rootToken };
  const clean = await keyStoreAdapters.vault({ environment });
  let listening = true;
  return {
    kind: 'vault',
    configure: async (home) => {
      await writeFile(join(home, 'vault-ca.pem'), ca);
      await writeFile(join(home, 'vault.token'), token, { mode: 0o600 });
      return {
        kind: 'vault',
        address: proxy.url,
        tls: { ca: 'vault-ca.pem' },
        login: { method: 'token-file', file: 'vault.token' },
        'adopt-from': ['secret/data/teams/*'],
        'timeout-ms': 700,
        'max-retries': 0,
        'break-ms': 500,
      };
    },
    set: async (mood) => {
      proxy.fault = faultOf(mood);
      if (listening === (mood !== 'down')) return;
      listening = mood !== 'down';
      await (listening ? proxy.resume() : proxy.pause());
    },
    records: () => clean.list(),
    keep: async (name, data) => {
      const path = `secret/data/teams/${name}`;
      await server.root({ path, body: { data } });
      return path;
    },
    canaries: [textCanary('vault token', token), textCanary('root token', server.rootToken)],
    [Symbol.asyncDispose]: async () => {
      await clean.close();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function faultOf(mood: StoreMood): Fault | null {
  if (mood === 'slow') return delaying(SLOW_MS);
  if (mood === 'hanging') return hanging;
  if (mood === 'lost after a change')
    return afterChanges((path) => (path.includes('/secret/') ? 'all' : null), resetting);
  if (mood === 'cut short') return shortening;
  if (mood === 'echoing') return echoing(400);
  if (mood === 'echoing changes') return only(['POST', 'PUT', 'DELETE'], /secret/, echoing(400));
  return null;
}
