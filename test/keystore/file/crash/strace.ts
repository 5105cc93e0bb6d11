import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

/** The thread that does the file calls of a Node process that was started with UV_THREADPOOL_SIZE=1. */
export function fileThread(pid: number | undefined): string {
  const tasks = `/proc/${pid}/task`;
  const thread = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8') === 'libuv-worker\n');
  if (thread === undefined) throw new Error('no thread of the file calls was found');
  return thread;
}

/** Attaches strace to a thread. @returns a function that detaches and gives the calls it saw, one a line. */
export async function attachStrace(thread: string, options: readonly string[]): Promise<() => Promise<string[]>> {
  const strace = spawn('strace', ['-y', '-p', thread, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  let seen = '';
  const attached = Promise.withResolvers<void>();
  strace.on('error', () => attached.reject(new Error('strace is missing: apt-get install strace')));
  strace.stderr.on('data', (text: Buffer) => {
    seen += text.toString();
    if (seen.includes('attached')) attached.resolve();
  });
  const closed = once(strace, 'close').then(() => attached.reject(new Error(`strace did not attach: ${seen}`)));
  await attached.promise;
  return async () => {
    strace.kill('SIGINT');
    await closed;
    return seen.split('\n').filter((line) => /^\w+\(/.test(line));
  };
}
