import { createRequire } from 'node:module';
import { textCanary } from '../../../e2e/canary/search/secrets.ts';
import { heldBy } from '../held.ts';
import { NETWORK_VERBS } from '../rows.ts';
import { running } from '../run.ts';
import type { FaultBench, FaultHarness, RunningBench } from '../table.ts';
import { EXPECTED } from './expected.ts';
import { furnish, type VaultPlace } from './place.ts';
import { proxiedFaults } from './proxied-faults.ts';
import { realFaults } from './real-faults.ts';
import { startVaultStage, stopVaultStage } from './stage.ts';
import { standbyFaults } from './standby-faults.ts';

export const vaultFaults: FaultHarness = {
  network: true,
  verbs: NETWORK_VERBS,
  expected: EXPECTED,
  impossible: {},
  start,
};

async function start(): Promise<RunningBench> {
  // node-vault's own debugging prints bodies; it must stay silent whatever the environment says.
  debugOfNodeVault().enable('*');
  const stage = await startVaultStage();
  const { server, token, cluster, clusterToken, clean, elsewhere } = stage;
  let folders = 0;
  const bench: FaultBench<VaultPlace> = {
    faults: { ...realFaults(stage), ...standbyFaults(stage), ...proxiedFaults(stage) },
    canaries: Object.entries({
      token,
      'root token': server.rootToken,
      'token of the cluster': clusterToken,
      'root token of the cluster': cluster.active.rootToken,
    }).map(([name, secret]) => textCanary(name, secret)),
    prepare: async () => {
      folders += 1;
      const place = { folder: `cell-${folders}`, clean };
      await furnish(place);
      return place;
    },
    held: (place) => heldBy(place.clean, `${place.folder}/`),
    settled: (outcome) =>
      outcome
        .split('. ')[0]!
        .replace(/keyturn\/cell-[0-9]+/, '…')
        .replace(/:[0-9]{4,5}\b/, ':port'),
    broken: () => [...elsewhere.seen, ...elsewhere.tokens],
    stop: async () => {
      debugOfNodeVault().disable();
      await stopVaultStage(stage);
    },
  };
  return running(bench);
}

/** The very copy of the debugging library that node-vault holds. */
function debugOfNodeVault(): { enable(names: string): void; disable(): string } {
  return createRequire(createRequire(import.meta.url).resolve('node-vault'))('debug');
}
