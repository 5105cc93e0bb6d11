import type { CellResult, StoreUnderFault, Verb } from './cell.ts';
import { brokenPromise, type Held, listed } from './held.ts';
import type { Fault, FaultBench, RowRun, RunningBench } from './table.ts';

export function running<P>(bench: FaultBench<P>): RunningBench {
  return {
    faults: Object.keys(bench.faults),
    canaries: bench.canaries,
    run: async (name, verbs) => {
      const fault = bench.faults[name];
      if (fault === undefined) throw new Error(`There is no fault ${name}.`);
      return runRow(bench, fault, verbs);
    },
    broken: () => bench.broken(),
    stop: () => bench.stop(),
  };
}

/** All verbs of one fault, each on a store of its own. */
async function runRow<P>(bench: FaultBench<P>, fault: Fault<P>, verbs: readonly Verb[]): Promise<RowRun> {
  const places = await Promise.all(verbs.map((verb) => bench.prepare(verb)));
  const stores = places.map((place) => fault.open(place));
  try {
    const results = await underFault(fault, places, stores, verbs);
    const held = await Promise.all(places.map((place) => bench.held(place)));
    return judged(bench, fault, verbs, results, held);
  } finally {
    await fault.end?.();
  }
}

async function underFault<P>(
  fault: Fault<P>,
  places: readonly P[],
  stores: readonly StoreUnderFault[],
  verbs: readonly Verb[],
): Promise<CellResult[]> {
  try {
    await fault.arm?.(places);
    if (fault.strike !== undefined) await struck(fault.strike, places, stores);
    return await askAll(verbs, stores);
  } finally {
    await fault.lift?.(places);
    await Promise.all(stores.map((store) => store.close()));
  }
}

async function struck<P>(
  strike: (places: readonly P[]) => Promise<void>,
  places: readonly P[],
  stores: readonly StoreUnderFault[],
): Promise<void> {
  const first = await Promise.all(stores.map((store) => store.run('read')));
  for (const { outcome } of first) if (outcome !== 'done') throw new Error(`Before the fault reading was: ${outcome}`);
  await strike(places);
}

/** At once; health last and alone: what it says is of the store by itself. */
async function askAll(verbs: readonly Verb[], stores: readonly StoreUnderFault[]): Promise<CellResult[]> {
  const ask = (chosen: (verb: Verb) => boolean) =>
    verbs.flatMap((verb, index) => {
      const store = stores[index];
      return store !== undefined && chosen(verb) ? [store.run(verb)] : [];
    });
  const others = await Promise.all(ask((verb) => verb !== 'health'));
  return [...others, ...(await Promise.all(ask((verb) => verb === 'health')))];
}

function judged<P>(
  bench: FaultBench<P>,
  { before = ['1'], elsewhere = false }: Fault<P>,
  verbs: readonly Verb[],
  results: readonly CellResult[],
  held: readonly Held[],
): RowRun {
  const row: Partial<Record<Verb, string>> = {};
  const brokenPromises: string[] = [];
  for (const [index, verb] of verbs.entries()) {
    const { outcome = 'nothing' } = results[index] ?? {};
    const after = held[index] ?? [];
    row[verb] = `${bench.settled(outcome)} → ${listed(after)}`;
    const broken = brokenPromise(elsewhere && verb === 'destroy' ? 'read' : verb, outcome, before, after);
    if (broken !== null) brokenPromises.push(broken);
  }
  return { row, brokenPromises, said: Buffer.concat(results.map(({ said }) => said)) };
}
