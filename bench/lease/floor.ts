import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TestCa } from '../../test/fakes/ca.ts';
import type { Contender } from './contender.ts';

const PROGRAM = fileURLToPath(new URL('floor-server.ts', import.meta.url));

/**
 * What no lease of a server on Node and SQLite gets under, and nothing of what makes it one: TLS and HTTP, one row that
 * is durable, one signature a commit, twenty hashes, one sealed answer of a lease's size. Without token, policy, checks,
 * lease, indexes or proofs. `folder` is an empty one of its own.
 */
export async function startFloor(folder: string, pem: string): Promise<Contender> {
  const ca = await TestCa.create('Benchmark floor CA');
  const identity = await ca.server();
  await writeFile(join(folder, 'tls.key'), identity.keyPem, { mode: 0o600 });
  await writeFile(join(folder, 'tls.crt'), identity.certificatePem);
  await writeFile(join(folder, 'secret.pem'), pem, { mode: 0o600 });
  const server = spawn(process.execPath, [PROGRAM, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const killed = () => server.kill('SIGKILL');
  process.once('exit', killed);
  const [port] = (await once(createInterface(server.stdout), 'line')) as [string];
  const headers = { authorization: `Bearer ${'t'.repeat(60)}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ hpkePublicKey: 'p'.repeat(43), seen: 0 });
  const plan = { method: 'POST', path: '/v1/credentials/lean%2Fsandbox/leases', headers, bodies: [body] } as const;
  return {
    name: 'floor',
    urls: [`https://127.0.0.1:${port}`],
    pids: [server.pid ?? 0],
    database: null,
    plan: async () => plan,
    settle: async () => {},
    stop: async () => {
      const closed = once(server, 'close');
      server.kill();
      await closed;
      process.removeListener('exit', killed);
    },
  };
}
