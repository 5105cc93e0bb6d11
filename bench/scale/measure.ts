import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { memoryMiB } from '../lease/process.ts';
import { median } from '../lease/report.ts';
import { nameOf, type Size } from './generate.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/keyturn.mjs', import.meta.url));
const ASKED = 15;

/** By name; units are in the names. */
export type Figures = Readonly<Record<string, number>>;

/** Starts the server of an instance, asks it, and verifies its log with the command. */
export async function measure(home: string, size: Size, logKey: string): Promise<Figures> {
  const began = performance.now();
  const { server, url } = await serve(home);
  const started = performance.now() - began;
  const pid = server.pid ?? 0;
  try {
    const fresh = (await memoryMiB(pid)).now;
    const ask = await asker(home, url);
    const middle = nameOf(Math.floor(size.credentials / 2));
    const asked = {
      'list, first page, ms': await took(() => ask('/v1/credentials?limit=100')),
      'list, page in the middle, ms': await took(() =>
        ask(`/v1/credentials?limit=100&after=${encodeURIComponent(middle)}`),
      ),
      'show one, ms': await took(() => ask(`/v1/credentials/${encodeURIComponent(middle)}`)),
      'audit query by credential, ms': await took(() =>
        ask(`/v1/audit/entries?newest=true&limit=100&credential=${encodeURIComponent(middle)}`),
      ),
      'audit query by kind, ms': await took(() => ask('/v1/audit/entries?newest=true&limit=100&kind=version.imported')),
      'receipt, ms': await took((at) =>
        ask(`/v1/audit/entries/${Math.floor((size.entries * (at + 1)) / (ASKED + 2))}/receipt`),
      ),
      'metrics, ms': await took(() => ask('/metrics'), 3),
      'metrics, KiB': (await ask('/metrics')) / 1024,
    };
    const file = join(home, 'trail.log');
    const exported = await command(home, ['audit', 'export', file]);
    const octets = (await stat(file)).size;
    const verified = await command(home, ['audit', 'verify', file, '--key', logKey]);
    await rm(file);
    const { now, peak } = await memoryMiB(pid);
    return {
      'start-up, ms': started,
      ...asked,
      'export, entries/s': size.entries / exported.seconds,
      'export, MiB': octets / 2 ** 20,
      'verify, entries/s': size.entries / verified.seconds,
      'verify, peak MiB': verified.peak,
      'server after start, MiB': fresh,
      'server at the end, MiB': now,
      'server, peak MiB': peak,
    };
  } finally {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  }
}

async function serve(home: string): Promise<{ server: ChildProcess; url: string }> {
  const server = spawn(process.execPath, [PROGRAM, '--home', home, 'server'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const killed = () => server.kill('SIGKILL');
  process.once('exit', killed);
  server.once('exit', () => process.removeListener('exit', killed));
  let said = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000);
  });
  if (server.stdout === null) throw new Error('The server has no output.');
  for await (const line of createInterface(server.stdout)) {
    const url = /^Listening on (https:\S+)/.exec(line)?.[1];
    if (url !== undefined) return { server, url };
  }
  throw new Error(`The server did not start: ${said}`);
}

/** Asks as the administrator over one connection; gives the octets of the answer. */
async function asker(home: string, url: string): Promise<(path: string) => Promise<number>> {
  const ca = await readFile(join(home, 'listener', 'ca.crt'), 'utf8');
  const token = (await readFile(join(home, 'admin', 'token'), 'utf8')).trim();
  const agent = new Agent({ ca, keepAlive: true });
  return async (path) => {
    const sent = request(new URL(path, url), { agent, headers: { authorization: `Bearer ${token}` } });
    sent.end();
    const [response] = await once(sent, 'response');
    let octets = 0;
    for await (const piece of response as AsyncIterable<Buffer>) octets += piece.length;
    if (response.statusCode !== 200) throw new Error(`${path} gave ${response.statusCode}`);
    return octets;
  };
}

async function took(ask: (at: number) => Promise<number>, times = ASKED): Promise<number> {
  const found: number[] = [];
  for (let at = 0; at < times; at += 1) {
    const began = performance.now();
    await ask(at);
    found.push(performance.now() - began);
  }
  return median(found);
}

/** Runs a command to its end; its memory is looked at now and then. */
async function command(home: string, args: readonly string[]): Promise<{ seconds: number; peak: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, [PROGRAM, '--home', home, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  let peak = 0;
  let running = true;
  const watching = (async () => {
    while (running) {
      peak = Math.max(peak, (await memoryMiB(child.pid ?? 0).catch(() => ({ peak: 0 }))).peak || 0);
      await sleep(100);
    }
  })();
  const [code] = await ended;
  const seconds = (performance.now() - began) / 1000;
  running = false;
  await watching;
  if (code !== 0) throw new Error(`keyturn ${args.join(' ')} ended with ${code}`);
  return { seconds, peak };
}
