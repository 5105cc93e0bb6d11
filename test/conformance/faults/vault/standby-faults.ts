import { furnish, hurried, openAt, patient, type VaultFault } from './place.ts';
import type { VaultStage } from './stage.ts';

/** A real standby is asked, which forwards or, when it is told not to, redirects to the active node. */
export function standbyFaults(stage: VaultStage): Record<string, VaultFault> {
  const { cluster, clusterToken, clusterClean, unforwarded } = stage;
  const at = (url: string, followTo: readonly string[] = []): VaultFault => ({
    arm: async (places) => {
      for (const place of places) {
        place.clean = clusterClean;
        await furnish(place);
      }
    },
    open: (place) => openAt(place, () => ({ ...patient(hurried(cluster.active, clusterToken, url)), followTo })),
  });
  return {
    standby: at(cluster.standbyUrl),
    'standby that redirects': at(unforwarded.url),
    'standby that redirects to a named node': at(unforwarded.url, [cluster.active.url]),
  };
}
