import { secureHeapUsed } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ok, type Route, route } from '../../http/route.ts';

/** What this process runs on, for `keyturn doctor`. Any token will do: nothing here is about a key. */
export function runtimeRoute(): Route {
  return route({
    id: 'runtime',
    method: 'get',
    path: '/v1/runtime',
    summary: 'Node version, secure heap and core limit of the server process',
    success: { status: 200, description: 'secureHeap in octets, 0 for off; coreLimit null where it cannot be told' },
    problems: ['unauthenticated'],
    handle: async () =>
      ok({ node: process.versions.node, secureHeap: secureHeapUsed().total, coreLimit: await coreLimit() }),
  });
}

/** proc(5): the soft limit stands first, in octets or as `unlimited`. */
async function coreLimit(): Promise<string | null> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return /^Max core file size\s+(\S+)/m.exec(limits)?.[1] ?? null;
}
