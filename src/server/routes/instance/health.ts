import type { Desk } from '../../../credential/desk.ts';
import { ok, type Route, route } from '../../http/route.ts';
import type { Metrics } from '../../metrics.ts';

/** One thing that the server needs, for all it does or for some. */
export interface Readiness {
  readonly name: string;
  readonly ready: boolean;
  /**
   * False for a key store beside the instance's own: while it is down its keys can't be lent anew, but leases on them
   * are renewed and all else goes on, so the server stays in service.
   */
  readonly required: boolean;
  readonly detail: string;
}

/** Probes and metrics: no token, no names of principals, nothing that changes state. */
export function healthRoutes(
  desk: Desk,
  ownStore: string,
  metrics: Metrics,
  describe: () => string | Promise<string>,
): Route[] {
  const anyone = { auth: 'none', problems: [] } as const;
  return [
    route({
      ...anyone,
      id: 'live',
      method: 'get',
      path: '/livez',
      summary: 'The process answers',
      success: { status: 200, description: 'Alive' },
      handle: async () => ok({ alive: true }),
    }),
    route({
      ...anyone,
      id: 'ready',
      method: 'get',
      path: '/readyz',
      summary: 'In service; 503 with the reasons when not. Says too which further key store does not answer',
      success: { status: 200, description: 'Ready' },
      handle: async () => {
        const checks = await readiness(desk, ownStore);
        const ready = checks.every((check) => check.ready || !check.required);
        return ok({ ready, checks }, ready ? 200 : 503);
      },
    }),
    route({
      ...anyone,
      id: 'metrics',
      method: 'get',
      path: '/metrics',
      summary: 'Prometheus metrics',
      success: { status: 200, description: 'Text exposition format' },
      handle: async () => ({ status: 200, type: metrics.registry.contentType, text: await metrics.registry.metrics() }),
    }),
    route({
      ...anyone,
      id: 'openapi',
      method: 'get',
      path: '/openapi.json',
      summary: 'This description',
      success: { status: 200, description: 'OpenAPI 3.1' },
      handle: async () => ({ status: 200, type: 'application/json', text: await describe() }),
    }),
  ];
}

/** How long a probe waits for a key store that is slow before it takes what the store said last, milliseconds. */
const STORE_PATIENCE_MS = 1_000;

/** Strangers may ask as often as they like: a store is probed no more often than this, milliseconds. */
const PROBE_AGE_MS = 500;

const OTHER_POLICY: Readiness = {
  name: 'policy',
  ready: false,
  required: true,
  detail:
    'Another server of this ledger loaded another policy, or other partner profiles: put its files here too; they are taken up by themselves.',
};

/** Why a store does not answer is not told here: strangers may ask, and the reason may name files of this host. */
export async function readiness(desk: Desk, ownStore: string): Promise<Readiness[]> {
  const ledger = desk.ledger.status();
  const stores = await Promise.all(
    [...desk.stores].map(async ([name, store]) => {
      const required = name === ownStore;
      // Without its own store a server does nothing, so that of one there is no waiting and no hoping.
      const { ready } = await store.healthWithin(STORE_PATIENCE_MS, PROBE_AGE_MS, !required);
      return {
        name: `store ${name}`,
        ready,
        required,
        detail: ready ? '' : 'It does not answer; keyturn doctor tells why.',
      };
    }),
  );
  const found = [{ name: 'ledger', ready: ledger.state === 'ready', required: true, detail: ledger.detail }, ...stores];
  return desk.policyIsCurrent() ? found : [...found, OTHER_POLICY];
}
