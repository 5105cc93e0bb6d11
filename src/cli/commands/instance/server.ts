import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../../compose/config.ts';
import { type Serving, serve } from '../../../compose/serve.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';

/** Longest time for a shutdown, milliseconds: what is under way has ten seconds, and some for the disk. */
const STOP_WITHIN_MS = 15_000;

/** Runs until SIGTERM or SIGINT; then lets requests under way finish. */
export default async function server(
  { home, terminal }: Context,
  options: { readonly acceptRollback?: boolean },
): Promise<void> {
  const serving = await serve(await loadConfig(home), {
    ask: askSecret,
    acceptRollback: options.acceptRollback ?? false,
  });
  // Before anybody is told that it serves: whoever ends it then must find it listening.
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  terminal.result({ url: serving.url, port: serving.port, pid: process.pid }, [
    `Listening on ${serving.url} (pid ${process.pid})`,
  ]);
  await told;
  await stop(serving);
}

/**
 * A thread that waits for a disk which does not answer keeps the process from ending by itself. Nothing is lost by the
 * hard way: what was acknowledged is durable, and what was not may not be released any more.
 */
async function stop(serving: Serving): Promise<void> {
  const isStuck = serving.instance.desk.ledger.status().state === 'stalled';
  await Promise.race([serving.stop(), sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
  if (!isStuck) return;
  serving.log.end();
  process.kill(process.pid, 'SIGKILL');
}
