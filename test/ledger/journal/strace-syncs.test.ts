import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmergencyJournal } from '../../../src/ledger/journal/emergency-journal.ts';
import { type Detach, injectIntoSyncs } from '../sqlite/faults/strace.ts';
import { freshPlace } from '../sqlite/place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let path: string;
let child: ChildProcess;
let detach: Detach | undefined;

beforeEach(async () => {
  place = await freshPlace();
  path = join(place.folder, 'emergency.journal');
  child = fork(fileURLToPath(new URL('./journal-child.ts', import.meta.url)), [path], { execArgv: [] });
  await once(child, 'message');
});
afterEach(async () => {
  await detach?.();
  await kill();
  await place.remove();
});

async function kill(): Promise<void> {
  if (child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function append(id: number): Promise<{ said: string; tookMs: number }> {
  child.send(id);
  const [answer] = await once(child, 'message');
  return answer;
}

test('after a sync that failed nothing is said to be durable, not even with a healthy disk', async () => {
  expect((await append(1)).said).toBe('durable');
  detach = await injectIntoSyncs(child.pid ?? 0, 'error=EIO');
  expect((await append(2)).said).toBe('journal_unavailable');
  await detach();
  expect((await append(3)).said).toBe('journal_unavailable');
  await kill();
  const journal = await EmergencyJournal.open(path);
  expect((await journal.records())[0]).toEqual({ id: 1 });
  await journal.close();
});

test('a sync that hangs is given up in time', async () => {
  detach = await injectIntoSyncs(child.pid ?? 0, 'delay_enter=3000000');
  const { said, tookMs } = await append(1);
  expect(said).toBe('journal_unavailable');
  expect(tookMs).toBeGreaterThanOrEqual(395);
  expect(tookMs).toBeLessThan(500);
  expect((await append(2)).tookMs).toBeLessThan(100);
});
