/** Milliseconds that `act` takes at least: the shortest of five runs, so that a busy machine is not taken for a slow parser. */
export function shortestMs(act: () => unknown): number {
  const runs = Array.from({ length: 5 }, () => {
    const start = performance.now();
    act();
    return performance.now() - start;
  });
  return Math.min(...runs);
}
