import type { Desk } from '../../credential/desk.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { ok, type Route, route } from '../http/route.ts';
import type { Metrics } from '../metrics.ts';

/** Something that readiness depends on. */
export interface Readiness {
  readonly name: string;
  readonly ready: boolean;
  readonly detail: string;
}

/** Probes and metrics: no token, no names of principals, nothing that changes state. */
export function healthRoutes(desk: Desk, metrics: Metrics, describe: () => string | Promise<string>): Route[] {
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
      summary: 'Keys can be released; 503 with the reasons when they cannot',
      success: { status: 200, description: 'Ready' },
      handle: async () => {
        const checks = await readiness(desk);
        const ready = checks.every((check) => check.ready);
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

/** How long a probe waits for a key store, milliseconds. */
const STORE_PATIENCE_MS = 1_000;

/** Why it does not is not told here: strangers may ask, and the reason may name files of this host. */
async function answers(store: KeyStore): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ ready: false }>((resolve) => {
    timer = setTimeout(resolve, STORE_PATIENCE_MS, { ready: false });
  });
  const { ready } = await Promise.race([store.health(), late]);
  clearTimeout(timer);
  return ready;
}

export async function readiness(desk: Desk): Promise<Readiness[]> {
  const ledger = desk.ledger.status();
  const stores = await Promise.all(
    [...desk.stores].map(async ([name, store]) => {
      const ready = await answers(store);
      return { name: `store ${name}`, ready, detail: ready ? '' : 'It does not answer; keyturn doctor tells why.' };
    }),
  );
  return [{ name: 'ledger', ready: ledger.state === 'ready', detail: ledger.detail }, ...stores];
}
