import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { TOOL_PATH } from '../../scripts/tools.mjs';

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

/** What a load sends, over and over; `bodies` in turn, none for a request without a body. */
export interface Plan {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly string[];
}

export interface Load {
  /** Of servers on 127.0.0.1 that share the connections. */
  readonly urls: readonly string[];
  readonly plan: Plan;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request instead of keep-alive. */
  readonly fresh: boolean;
  /** Where the plan is written; it holds a token. */
  readonly planFile: string;
}

const resultSchema = z.object({
  /** Answered, whatever the status. */
  requests: z.int(),
  microseconds: z.int(),
  /** Microseconds. */
  p50: z.number(),
  p99: z.number(),
  /** Answers other than 2xx and 3xx. */
  refused: z.int(),
  /** Connections that failed, broke or timed out. */
  broken: z.int(),
});

export type LoadResult = z.infer<typeof resultSchema>;

/** Runs wrk with one thread for each server; each connection sends its next request as soon as its last is answered. */
export async function load({ urls, plan, connections, seconds, fresh, planFile }: Load): Promise<LoadResult> {
  const headers = { ...plan.headers, ...(fresh ? { connection: 'close' } : {}) };
  const lines = Object.entries({ method: plan.method, path: plan.path, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  await writeFile(planFile, `${[...lines, '--', ...plan.bodies].join('\n')}\n`, { mode: 0o600 });
  const [url = ''] = urls;
  const threads = Math.min(urls.length, connections);
  const ports = urls.map((each) => new URL(each).port).join(' ');
  const args = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT, url];
  const child = spawn('wrk', args, {
    env: { ...process.env, PATH: TOOL_PATH, WRK_PLAN: planFile, WRK_PORTS: ports },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  const line = /^RESULT (.*)$/m.exec(out)?.[1];
  if (line === undefined) throw new Error(`wrk gave no result: ${out}${err}`);
  return resultSchema.parse(JSON.parse(line));
}
