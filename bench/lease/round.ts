import type { Contender } from './contender.ts';
import { cpuSeconds, cpuSecondsOfAll } from './process.ts';
import { type LoadResult, load } from './wrk.ts';

export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of all servers, of all their threads, and of the database behind them. */
  readonly cpuMicros: number;
}

export interface RoundOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly fresh: boolean;
  readonly planFile: string;
}

/** One contender under load for a while; throws when an answer has no durable entry. */
export async function round(contender: Contender, options: RoundOptions): Promise<Figures> {
  const plan = await contender.plan();
  const before = await cpuOf(contender);
  const result = await load({ urls: contender.urls, plan, ...options });
  const cpu = (await cpuOf(contender)) - before;
  await contender.settle(result, options.connections);
  return figuresOf(result, cpu);
}

async function cpuOf({ pids, database }: Contender): Promise<number> {
  const spent = [...pids.map(cpuSeconds), ...(database === null ? [] : [cpuSecondsOfAll(database)])];
  return (await Promise.all(spent)).reduce((sum, one) => sum + one, 0);
}

function figuresOf({ requests, microseconds, p50, p99 }: LoadResult, cpu: number): Figures {
  return {
    perSecond: (requests / microseconds) * 1e6,
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    cpuMicros: (cpu / requests) * 1e6,
  };
}

/** Rounds in turn, each contender first equally often, so that what else the machine does hits all alike. */
export async function interleaved(
  contenders: readonly Contender[],
  rounds: number,
  options: RoundOptions,
): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const figures = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]));
  for (let at = 0; at < rounds; at += 1) {
    for (let place = 0; place < contenders.length; place += 1) {
      const contender = contenders[(place + at) % contenders.length]!;
      figures.get(contender.name)?.push(await round(contender, options));
    }
  }
  return figures;
}
