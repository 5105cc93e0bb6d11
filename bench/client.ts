import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { type Credential, connect } from '../src/client/index.ts';
import { TestCa } from '../test/fakes/ca.ts';
import { CREDENTIAL, FakeKeyturn, TOKEN } from '../test/fakes/keyturn-server.ts';

/**
 * Our agent and fetch against the way a partner's guide shows, `https.Agent` with PEM options: keep-alive mTLS, 3 KB
 * answers, the server in a process of its own. Rounds are interleaved, so that what else the machine does hits all
 * alike; the figures are medians over the rounds, the ratios medians of each round's own ratio.
 */

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
const ROUND_MS = Number(process.env['BENCH_MS'] ?? 1_500);

type Call = () => Promise<void>;

interface Figures {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

async function main(): Promise<void> {
  const ca = await TestCa.create();
  const issued = await ca.client({ key: 'rsa-2048' });
  const server = await startServer(ca);
  const endpoint = `localhost:${server.port}`;
  const trust = { mode: 'pinned', pem: ca.certificatePem } as const;
  await using keyturn = await FakeKeyturn.start({ issued, trust, endpoints: [endpoint], chain: ca.certificatePem });
  await using client = await connect({ connection: keyturn.connection(), token: () => Buffer.from(TOKEN) });
  const credential = await client.credential(CREDENTIAL);
  const url = `https://${endpoint}/banks/v1`;
  const pem = { key: issued.keyPem, cert: issued.certificatePem + ca.certificatePem, ca: ca.certificatePem };
  const guide = new Agent({ ...pem, keepAlive: true });
  const contenders = { guide: byRequest(url, guide), ...ours(url, credential) };
  for (const connections of [1, 16]) await compare(contenders, connections);
  guide.destroy();
  server.stop();
}

function ours(url: string, credential: Credential): Record<'mtlsAgent' | 'fetch', Call> {
  const byFetch = async (): Promise<void> => {
    const response = await credential.fetch(url);
    await response.arrayBuffer();
  };
  return { mtlsAgent: byRequest(url, credential.mtlsAgent()), fetch: byFetch };
}

function byRequest(url: string, agent: Agent): Call {
  return () =>
    new Promise((resolve, reject) => {
      const sent = request(url, { agent }, (response) => {
        response.on('data', () => {});
        response.on('end', resolve);
      });
      sent.on('error', reject);
      sent.end();
    });
}

async function startServer(ca: TestCa): Promise<{ port: number; stop: () => void }> {
  const identity = await ca.server();
  const child = fork(new URL('server.ts', import.meta.url));
  child.send({ key: identity.keyPem, cert: identity.certificatePem, ca: ca.certificatePem });
  const [port] = await once(child, 'message');
  return { port: Number(port), stop: () => child.disconnect() };
}

async function compare(contenders: Record<string, Call>, connections: number): Promise<void> {
  const rounds: Record<string, Figures>[] = [];
  for (const call of Object.values(contenders)) await round(call, connections, ROUND_MS / 2);
  for (let at = 0; at < ROUNDS; at += 1) {
    // Each contender goes first equally often.
    const names = Object.keys(contenders);
    const order = names.map((_, place) => names[(place + at) % names.length]!);
    const figures: Record<string, Figures> = {};
    for (const name of order) figures[name] = await round(contenders[name]!, connections, ROUND_MS);
    rounds.push(figures);
  }
  report(Object.keys(contenders), rounds, connections);
}

/** `connections` callers, each with its next request as soon as its last is answered. */
async function round(call: Call, connections: number, ms: number): Promise<Figures> {
  const times: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const caller = async (): Promise<void> => {
    for (let now = performance.now(); now - start < ms; ) {
      await call();
      const end = performance.now();
      times.push(end - now);
      now = end;
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    cpuMicros: (user + system) / times.length,
  };
}

function report(names: readonly string[], rounds: readonly Record<string, Figures>[], connections: number): void {
  console.log(`\n${connections} connection${connections === 1 ? '' : 's'}, ${ROUNDS} rounds of ${ROUND_MS} ms`);
  console.log('             req/s   p99 ms   CPU µs/req   | ratio: throughput   p99   CPU');
  for (const name of names) {
    const of = (pick: (figures: Figures) => number): number => median(rounds.map((figures) => pick(figures[name]!)));
    const ratio = (pick: (figures: Figures) => number): string =>
      median(rounds.map((figures) => pick(figures[name]!) / pick(figures['guide']!))).toFixed(2);
    const columns = [
      name.padEnd(10),
      of((f) => f.perSecond)
        .toFixed(0)
        .padStart(8),
      of((f) => f.p99Ms)
        .toFixed(2)
        .padStart(8),
      of((f) => f.cpuMicros)
        .toFixed(0)
        .padStart(12),
      '  |            ',
      ratio((f) => f.perSecond).padStart(6),
      ratio((f) => f.p99Ms).padStart(6),
      ratio((f) => f.cpuMicros).padStart(5),
    ];
    console.log(columns.join(' '));
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

await main();
