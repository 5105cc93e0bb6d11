/**
 * A server that kills itself: its code is loaded at once, the instance is served when the parent says so. At the first
 * of the points that it was given it writes down which one it was, and is gone (SIGKILL, so nothing is cleaned up).
 */
import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { Writable } from 'node:stream';
import { loadConfig } from '../../../src/compose/config.ts';
import { type Serving, serve } from '../../../src/compose/serve.ts';
import { isPublishing } from '../../../src/issuer/driver.ts';
import { ServerLog } from '../../../src/server/log.ts';
import type { Doom } from './doom.ts';

/** Between two looks at the rotations, milliseconds. */
const TICK_MS = 15;
const PACE = { longestRequestMs: 20, lookMs: 15, retryMs: 20, retryMostMs: 100, canaryTries: 1_000 };

/** What the parent asks for: to serve, an issuer's certificate and its list; or it says where to die from now on. */
export type Order =
  | { readonly serve: string; readonly doom: Doom }
  | { readonly points: Doom['points'] }
  | { readonly list: string };

export type Told =
  | { readonly loaded: true }
  | { readonly url: string }
  | { readonly refused: string }
  | { readonly ca: string; readonly crl: string };

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
let serving: Serving | null = null;
let left: Record<string, number> = {};

function tell(told: Told): void {
  process.send?.(told);
}

async function begin(home: string, { points, file }: Doom): Promise<void> {
  left = { ...points };
  const onPoint = (name: string): void => {
    const nth = left[name];
    if (nth === undefined) return;
    left[name] = nth - 1;
    if (nth > 1) return;
    appendFileSync(file, `${name}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
  const log = new ServerLog({ destination: nowhere });
  serving = await serve(await loadConfig(home), { log, rotation: { pace: PACE, onPoint } });
  const { rotator } = serving.instance;
  setInterval(() => rotator.tick().catch(() => undefined), TICK_MS);
  tell({ url: serving.url });
}

async function list(name: string): Promise<void> {
  const driver = serving?.instance.issuers.get(name)?.driver;
  if (driver === undefined || !isPublishing(driver)) throw new Error(`Nobody publishes as ${name}.`);
  tell({ ca: await driver.authority(), crl: (await driver.revocationList()).pem });
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  if ('points' in order) {
    left = { ...order.points };
    return;
  }
  const done = 'serve' in order ? begin(order.serve, order.doom) : list(order.list);
  done.catch((error: unknown) => tell({ refused: error instanceof Error ? error.message : String(error) }));
});
// Who is killed leaves no cache behind otherwise.
flushCompileCache();
tell({ loaded: true });
