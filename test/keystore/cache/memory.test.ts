import { fork } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { searchMemory } from '../../e2e/canary/process-memory.ts';

const CHILD = new URL('memory-child.ts', import.meta.url);

/** Copies of the canary in a process that keeps it in its cache. */
async function copiesIn(mode: 'wipe' | 'keep'): Promise<number> {
  const seed = `a canary of the cache, ${mode}`;
  const child = fork(CHILD, [seed, mode], { execArgv: [] });
  try {
    const [told] = await once(child, 'message');
    expect(told).toMatchObject({ kept: 1 });
    const octets = hash('sha512', seed, 'buffer');
    const halves = [octets.subarray(0, 32), octets.subarray(32)];
    const traces = halves.map((half, at) => ({ encoding: `half ${at}`, octets: half }));
    const found = await searchMemory(child.pid ?? 0, [{ name: 'canary', traces }]);
    return found.reduce((sum, { count }) => sum + count, 0);
  } finally {
    child.kill('SIGKILL');
  }
}

test('no plaintext of a record that is kept lies in the memory of the process', async () => {
  // The control: the search finds one that its reader holds.
  expect(await copiesIn('keep')).toBeGreaterThanOrEqual(2);
  expect(await copiesIn('wipe')).toBe(0);
});
