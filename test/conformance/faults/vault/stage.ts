import type { KeyStoreDriver } from '../../../../src/keystore/driver.ts';
import { type OpenBaoCluster, startOpenBaoCluster } from '../../../fakes/openbao/cluster.ts';
import { FaultProxy } from '../../../fakes/openbao/fault-proxy.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { openClean, POLICY } from './place.ts';

/** What the faults are planted with. */
export interface VaultStage {
  /** One node, in memory. */
  readonly server: OpenBao;
  /** Holds the shipped policy. */
  readonly token: string;
  readonly clean: KeyStoreDriver;
  /** Two nodes, for what a standby does. */
  readonly cluster: OpenBaoCluster;
  readonly clusterToken: string;
  readonly clusterClean: KeyStoreDriver;
  readonly proxy: FaultProxy;
  /** Where nothing may ever arrive. */
  readonly elsewhere: FaultProxy;
  readonly expired: FaultProxy;
  readonly early: FaultProxy;
  /** Before the standby: it asks it not to forward. */
  readonly unforwarded: FaultProxy;
}

const DAY = 86_400_000;

export async function startVaultStage(): Promise<VaultStage> {
  const [server, cluster] = await Promise.all([OpenBao.start(), startOpenBaoCluster()]);
  const { active } = cluster;
  for (const each of [server, active]) await each.policy('keyturn', POLICY);
  const at = { upstream: server.url, ca: server.ca.certificatePem };
  const [good, expired, early] = await Promise.all([
    server.ca.server(),
    server.ca.server({ notBefore: new Date(0), notAfter: new Date(Date.now() - 1000) }),
    server.ca.server({ notBefore: new Date(Date.now() + DAY) }),
  ]);
  const unforwarded = { 'x-vault-no-request-forwarding': 'true' };
  return {
    server,
    token: await server.token(['keyturn']),
    clean: await openClean(server),
    cluster,
    clusterToken: await active.token(['keyturn']),
    clusterClean: await openClean(active),
    proxy: await FaultProxy.start({ ...at, server: good }),
    elsewhere: await FaultProxy.start({ ...at, server: good }),
    expired: await FaultProxy.start({ ...at, server: expired }),
    early: await FaultProxy.start({ ...at, server: early }),
    unforwarded: await FaultProxy.start({
      server: await active.ca.server(),
      upstream: cluster.standbyUrl,
      ca: active.ca.certificatePem,
      headers: unforwarded,
    }),
  };
}

export async function stopVaultStage({ server, cluster, ...stage }: VaultStage): Promise<void> {
  for (const driver of [stage.clean, stage.clusterClean]) await driver.close();
  for (const proxy of [stage.proxy, stage.elsewhere, stage.expired, stage.early, stage.unforwarded]) {
    await proxy[Symbol.asyncDispose]();
  }
  for (const each of [server, cluster]) await each[Symbol.asyncDispose]();
}
