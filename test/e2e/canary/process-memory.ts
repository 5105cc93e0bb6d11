import { open, readFile } from 'node:fs/promises';
import { type Finding, Searcher } from './search/searcher.ts';
import type { Canary } from './search/secrets.ts';

const CHUNK = 256 * 1024;
const ZEROS = Buffer.alloc(CHUNK);
/** Longer than any trace: what lies across two chunks is found in the second. */
const OVERLAP = 512;

/** What a process was started with, as every process of its user can read it. Linux: proc(5). */
export async function startOf(pid: number): Promise<Buffer> {
  const parts = ['environ', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`));
  return Buffer.concat(await Promise.all(parts));
}

/** Searches every readable and writable page of a process. Whoever may ptrace it can do the same. Linux: proc(5). */
export async function searchMemory(pid: number, canaries: readonly Canary[]): Promise<Finding[]> {
  const searcher = new Searcher(canaries);
  const counts = new Map<string, Finding>();
  await using memory = await open(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.allocUnsafeSlow(CHUNK);
  for (const { from, to } of await regions(pid)) {
    for (let at = from; at < to; at += CHUNK - OVERLAP) {
      const length = Math.min(CHUNK, to - at);
      const { bytesRead } = await memory.read(chunk, 0, length, at).catch(() => ({ bytesRead: 0 }));
      const octets = chunk.subarray(0, bytesRead);
      if (octets.equals(ZEROS.subarray(0, bytesRead))) continue;
      add(counts, searcher.findAsIs(octets), 1);
      // What lies whole in the overlap was counted with the chunk before.
      if (at > from) add(counts, searcher.findAsIs(octets.subarray(0, OVERLAP)), -1);
    }
  }
  return [...counts.values()].filter(({ count }) => count > 0);
}

function add(counts: Map<string, Finding>, findings: readonly Finding[], sign: 1 | -1): void {
  for (const { canary, encoding, count } of findings) {
    const key = `${canary} ${encoding}`;
    counts.set(key, { canary, encoding, count: sign * count + (counts.get(key)?.count ?? 0) });
  }
}

async function regions(pid: number): Promise<{ from: number; to: number }[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  return maps.split('\n').flatMap((line) => {
    const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    return from === '' ? [] : [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }];
  });
}
