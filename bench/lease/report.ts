import type { Figures } from './round.ts';

/** A table of medians, and of the medians of each round's own ratio to the one contender named `base`. */
export function report(title: string, figures: ReadonlyMap<string, readonly Figures[]>, base: string): string {
  const rows = [...figures].map(([name, rounds]) => {
    const of = (pick: (one: Figures) => number) => median(rounds.map(pick));
    const ratio = (pick: (one: Figures) => number) =>
      median(rounds.map((one, at) => pick(one) / pick(figures.get(base)![at]!)));
    return [
      name.padEnd(16),
      of(({ perSecond }) => perSecond)
        .toFixed(0)
        .padStart(7),
      of(({ p50Ms }) => p50Ms)
        .toFixed(2)
        .padStart(8),
      of(({ p99Ms }) => p99Ms)
        .toFixed(2)
        .padStart(8),
      of(({ cpuMicros }) => cpuMicros)
        .toFixed(0)
        .padStart(8),
      '  |',
      ratio(({ perSecond }) => perSecond)
        .toFixed(2)
        .padStart(6),
      ratio(({ p50Ms }) => p50Ms)
        .toFixed(2)
        .padStart(6),
      ratio(({ p99Ms }) => p99Ms)
        .toFixed(2)
        .padStart(6),
      ratio(({ cpuMicros }) => cpuMicros)
        .toFixed(2)
        .padStart(6),
    ].join(' ');
  });
  const head = `                   req/s   p50 ms   p99 ms   CPU µs   | req/s    p50    p99    CPU   (of ${base})`;
  return [`\n${title}`, head, ...rows].join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
