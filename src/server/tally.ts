import { Counter, type CounterConfiguration } from 'prom-client';

/** A counter that costs a request little: prom-client, which is slow to find its labels, is told at each scrape. */
export class Tally<L extends string> {
  readonly #counted = new Map<string, { readonly labels: Record<L, string | number>; count: number }>();

  constructor(configuration: Pick<CounterConfiguration<L>, 'name' | 'help' | 'labelNames' | 'registers'>) {
    const counted = this.#counted;
    new Counter({
      ...configuration,
      collect() {
        for (const { labels, count } of counted.values()) this.inc(labels, count);
        counted.clear();
      },
    });
  }

  /** Labels in the order in which the caller always names them. */
  inc(labels: Record<L, string | number>): void {
    let key = '';
    for (const name in labels) key += `${labels[name]} `;
    const known = this.#counted.get(key);
    if (known === undefined) this.#counted.set(key, { labels, count: 1 });
    else known.count += 1;
  }
}
