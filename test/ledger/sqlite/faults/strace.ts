import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Detaches and undoes the fault. */
export type Detach = () => Promise<void>;

/**
 * Makes every sync of a running process fail or hang, all its threads included, by strace's injection.
 * @param fault as in strace(1): `error=EIO`, `delay_enter=2000000` (microseconds).
 */
export async function injectIntoSyncs(pid: number, fault: string): Promise<Detach> {
  if (spawnSync('strace', ['-V']).status !== 0) {
    throw new Error('strace is not installed, and these tests need it: apt-get install strace');
  }
  const filter = ['-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:${fault}`];
  const strace = spawn('strace', ['-f', '-p', String(pid), ...filter], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(strace, 'exit');
  const lines = createInterface({ input: strace.stderr });
  const attached = once(lines, 'line');
  const [first] = (await attached) as [string];
  if (!first.includes('attached')) throw new Error(`strace could not attach: ${first}`);
  return async () => {
    strace.kill('SIGKILL');
    await exited;
  };
}
