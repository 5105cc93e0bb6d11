import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';

/** Clock ticks a second of `/proc/PID/stat`: 100 on every Linux that Node runs on (sysconf(3), _SC_CLK_TCK). */
const TICKS_A_SECOND = 100;

/** CPU seconds, user and system, of all threads of a process and of its children that have ended. proc(5). */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name of the command may hold spaces; what follows its bracket does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
  return ((utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0)) / TICKS_A_SECOND;
}

/** The same of a process and all that it has started and that still runs. */
export async function cpuSecondsOfAll(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const each = children
    .trim()
    .split(' ')
    .filter((text) => text !== '');
  const spent = await Promise.all(each.map((child) => cpuSecondsOfAll(Number(child))));
  // One that ended since it was listed counts with its parent.
  return spent.reduce((sum, one) => sum + one, await cpuSeconds(pid).catch(() => 0));
}

/** Resident memory now and at its highest, MiB. */
export async function memoryMiB(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

/** The machine's load average over the last minute: what else ran. */
export function loadAverage(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}
