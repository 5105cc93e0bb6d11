import { quoted } from './problem.ts';

/** ` Did you mean "…"?`-style advice when one of `known` is close to `text`, else the list of all that are known. */
export function didYouMean(text: string, known: readonly string[]): string {
  const folded = fold(text);
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(folded, fold(candidate)) }))
    .filter(({ candidate, distance: d }) => d <= Math.max(1, Math.floor(candidate.length / 4)))
    .sort((a, b) => a.distance - b.distance);
  if (best !== undefined) return `Did you mean ${quoted(best.candidate)}?`;
  return known.length === 0 ? 'There is none to choose from.' : `Known: ${known.join(', ')}.`;
}

/** Compatibility forms and case made one, so that a look-alike is led to the name it looks like. */
function fold(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase().slice(0, 100);
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same));
    }
    row = next;
  }
  return row[b.length]!;
}
