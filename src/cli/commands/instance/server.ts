import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { loadConfig } from '../../../compose/config.ts';
import { type Serving, serve } from '../../../compose/serve.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';

/** Longest time for a shutdown, milliseconds: what is under way has ten seconds, and some for the disk. */
const STOP_WITHIN_MS = 15_000;

/** Signals that come so soon after the first one are the same order: npm hands on a Ctrl-C that the terminal sent as well. */
const SAME_ORDER_MS = 2_000;

/** Runs until SIGTERM or SIGINT; then lets requests under way finish. A further one ends it at once. */
export default async function server(
  { home, terminal }: Context,
  options: { readonly acceptRollback?: boolean },
): Promise<void> {
  const serving = await serve(await loadConfig(home), {
    ask: askSecret,
    acceptRollback: options.acceptRollback ?? false,
  });
  // Before anybody is told that it serves: whoever ends it then must find it listening.
  const told = untilTold(serving);
  terminal.result({ url: serving.url, port: serving.port, pid: process.pid }, [
    `Listening on ${serving.url} (pid ${process.pid})`,
  ]);
  await told;
  await stop(serving);
}

/** A terminal that goes takes its server with it. Elsewhere SIGHUP, by which others are told to read their files anew, ends nothing. */
function untilTold({ log }: Serving): Promise<void> {
  return new Promise((resolve) => {
    const ends: NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
    if (isatty(0) || isatty(1)) ends.push('SIGHUP');
    else process.on('SIGHUP', () => log.notice('hang-up-ignored'));
    const end = () => {
      resolve();
      setTimeout(() => {
        for (const signal of ends) process.removeListener(signal, end);
      }, SAME_ORDER_MS).unref();
    };
    for (const signal of ends) process.on(signal, end);
  });
}

/**
 * A thread that waits for a disk which does not answer keeps the process from ending by itself, and so do those of a ledger
 * that has failed, which nobody closes. Nothing is lost by the hard way: what was acknowledged is durable, and what was not
 * may not be released any more.
 */
async function stop(serving: Serving): Promise<void> {
  const { ledger } = serving.instance.desk;
  const isStuck = ledger.status().state === 'stalled';
  await Promise.race([serving.stop(), sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
  if (isStuck) {
    serving.log.end();
    process.kill(process.pid, 'SIGKILL');
  }
  if (ledger.status().state !== 'closed') process.exit();
}
