import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { searchMemory } from './process-memory.ts';

const SEED = 'a canary of this test';
const COPIES = 32_768;

/** Fills eight MiB with copies, so that many lie where one chunk of the search overlaps the next. */
const HOLDER = `
  const canary = require('node:crypto').createHash('sha256').update(process.argv[1]).digest();
  globalThis.held = Buffer.alloc(${COPIES} * 256);
  for (let at = 0; at < held.length; at += 256) held.set(canary, at);
  console.log('filled');
  setInterval(() => {}, 1000);
`;

test('each copy in a process’s memory counts once, also where two chunks of the search overlap', async () => {
  const octets = createHash('sha256').update(SEED).digest();
  const holder = spawn(process.execPath, ['-e', HOLDER, '--', SEED], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(holder.stdout, 'data');
    const canary = { name: 'copies', traces: [{ encoding: 'octets', octets }] };
    const [found] = await searchMemory(holder.pid ?? 0, [canary]);
    expect(found?.count).toBeGreaterThanOrEqual(COPIES);
    // The digest itself, and what the runtime may have left of it.
    expect(found?.count).toBeLessThanOrEqual(COPIES + 8);
  } finally {
    holder.kill('SIGKILL');
  }
});
