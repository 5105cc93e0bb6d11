import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { PROCESSES_MS } from '../instance/server-process.ts';
import { KEYTURN, served } from '../keyturn.ts';

test('a token that finds no room on the disk is revoked again, and nothing of it is left', {
  timeout: PROCESSES_MS,
}, async () => {
  const { keyturn, stop } = await served();
  try {
    const full = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync', '-e', 'inject=fsync:error=ENOSPC'];
    const command = [
      process.execPath,
      KEYTURN,
      '--home',
      keyturn.home,
      'token',
      'create',
      'service:payments',
      '--out',
      'pay',
    ];
    const env = { ...process.env, NO_COLOR: '1' };
    const child = spawn('strace', [...full, ...command], {
      cwd: keyturn.folder,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [told, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ code, told }).toEqual({
      code: 2,
      told: expect.stringMatching(
        /^error pay\.\S+ can't be written \(the disk is full\)\. The token was revoked again\./,
      ),
    });
    expect(await readdir(keyturn.folder)).toEqual([]);
    const { items } = await keyturn.json<{ items: { principal: string; revokedAt?: string | null }[] }>([
      'token',
      'list',
    ]);
    expect(items.map(({ principal }) => principal)).toEqual(['person:alice']);
  } finally {
    await stop();
  }
});
