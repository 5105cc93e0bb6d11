/**
 * A server that kills itself: its code is loaded at once, the instance is opened when the parent says so. At the first of
 * the points that it was given it writes down which one it was, and is gone (SIGKILL, so nothing is cleaned up). It
 * listens only when it is told to: no step of a rotation depends on it, and loading that takes as long again.
 */
import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { Writable } from 'node:stream';
import { loadConfig } from '../../../../src/compose/config.ts';
import { cannotAsk } from '../../../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../../../src/compose/open.ts';
import { isPublishing } from '../../../../src/issuer/driver.ts';
import type { Doom } from './doom.ts';
import { Hands } from './hands.ts';
import type { Order, Told } from './wish.ts';

/** Between two looks at the rotations, milliseconds. */
const TICK_MS = 10;
const PACE = {
  longestRequestMs: 20,
  lookMs: 10,
  retryMs: 20,
  retryMostMs: 100,
  canaryTries: 1_000,
  controlMs: 500,
  lateAnswerMs: 50,
};

let instance: Instance | null = null;
let hands: Hands | null = null;
let left: Record<string, number> = {};

function tell(told: Told): void {
  process.send?.(told);
}

function doomed({ points, file }: Doom): (name: string) => void {
  left = { ...points };
  return (name) => {
    const nth = left[name];
    if (nth === undefined) return;
    left[name] = nth - 1;
    if (nth > 1) return;
    appendFileSync(file, `${name}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
}

async function open({ open: home, listening, doom }: Extract<Order, { open: string }>): Promise<void> {
  const config = await loadConfig(home);
  const rotation = { pace: PACE, onPoint: doomed(doom) };
  let url: string | null = null;
  if (listening) {
    const { serve } = await import('../../../../src/compose/serve.ts');
    const { ServerLog } = await import('../../../../src/server/log/server-log.ts');
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const serving = await serve(config, { log: new ServerLog({ destination: nowhere }), rotation });
    ({ url, instance } = serving);
  } else {
    instance = await openInstance(config, { ask: cannotAsk, rotation });
  }
  hands = await Hands.of(instance);
  const { rotator, desk } = instance;
  setInterval(() => {
    // A file that took too long stays unavailable until the server is begun anew, which those do who look after servers.
    if ('path' in config.ledger && desk.ledger.status().state !== 'ready') process.exit(1);
    rotator.tick().catch(() => undefined);
  }, TICK_MS);
  tell({ url });
}

async function list(name: string): Promise<void> {
  const driver = instance?.issuers.get(name)?.driver;
  if (driver === undefined || !isPublishing(driver)) throw new Error(`Nobody publishes as ${name}.`);
  tell({ ca: await driver.authority(), crl: (await driver.revocationList()).pem });
}

async function carryOut(order: Exclude<Order, { points: unknown }>): Promise<void> {
  if ('open' in order) return open(order);
  if ('list' in order) return list(order.list);
  if (hands === null) throw new Error('Nothing is open.');
  tell({ answer: await hands.do(order.wish) });
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  if ('points' in order) left = { ...order.points };
  else {
    carryOut(order).catch((error: unknown) =>
      tell({ refused: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  }
});
await Promise.all(process.argv.slice(2).map((module) => import(module)));
// Who is killed leaves no cache behind otherwise.
flushCompileCache();
tell({ loaded: true });
