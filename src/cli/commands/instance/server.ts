import { loadConfig } from '../../../compose/config.ts';
import { serve } from '../../../compose/serve.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';

/** Runs until SIGTERM or SIGINT; then lets requests under way finish. */
export default async function server({ home, terminal }: Context): Promise<void> {
  const serving = await serve(await loadConfig(home), { ask: askSecret });
  terminal.result({ url: serving.url, port: serving.port, pid: process.pid }, [
    `Listening on ${serving.url} (pid ${process.pid})`,
  ]);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  await serving.stop();
  endStuckProcess(serving.instance.desk.ledger.status().state);
}

/**
 * A thread that waits for a disk which does not answer keeps the process from ending by itself. Nothing is lost by the
 * hard way: what was acknowledged is durable, and what was not may not be released any more.
 */
function endStuckProcess(ledger: 'ready' | 'stalled' | 'failed' | 'closed'): void {
  if (ledger === 'stalled') process.kill(process.pid, 'SIGKILL');
}
