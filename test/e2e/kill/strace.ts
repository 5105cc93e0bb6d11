import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The `nth` of these system calls that one thread of the process makes kills the process before it happens. */
export interface Point {
  /** Names as strace(1) takes them; a leading ? for those that some architectures lack. */
  readonly calls: string;
  readonly nth: number;
}

/** Attaches to a running process, all its threads included. The tracer ends with the process. */
export async function killAt(pid: number, { calls, nth }: Point): Promise<ChildProcess> {
  const filter = ['-e', `trace=${calls}`, '-e', `inject=${calls}:signal=KILL:when=${nth}`];
  const strace = spawn('strace', ['-f', '-p', String(pid), ...filter], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: strace.stderr });
  const [first] = (await once(lines, 'line')) as [string];
  if (!first.includes('attached')) throw new Error(`strace could not attach: ${first}`);
  lines.on('line', () => {});
  return strace;
}
