import { unique } from './encodings.ts';
import type { Canary } from './secrets.ts';

/** One trace of a canary in what was searched. */
export interface Finding {
  readonly canary: string;
  readonly encoding: string;
  readonly count: number;
}

interface Needle {
  readonly canary: string;
  readonly encoding: string;
  readonly octets: Buffer;
}

/** Octets that a needle is told by before it is compared as a whole. */
const PREFIX = 3;
const PREFIXES = 2 ** (8 * PREFIX);
const PAIRS = 2 ** 16;

/** Looks for all traces of all canaries at once, in one pass over what is searched. */
export class Searcher {
  readonly #needles = new Map<number, Needle[]>();
  /** One octet for each possible beginning: whether any needle begins so. Of two octets, which fits a fast cache. */
  readonly #pairs = new Uint8Array(PAIRS);
  readonly #begins = new Uint8Array(PREFIXES);
  readonly traces: number;

  constructor(canaries: readonly Canary[]) {
    const needles = canaries.flatMap(({ name, traces }) => unique(traces).map((trace) => ({ canary: name, ...trace })));
    for (const needle of needles) {
      if (needle.octets.length < 8) throw new Error(`${needle.canary}: ${needle.encoding} is found by chance.`);
      const begin = needle.octets.readUIntBE(0, PREFIX);
      this.#begins[begin] = 1;
      this.#pairs[begin & (PAIRS - 1)] = 1;
      this.#needles.set(begin, [...(this.#needles.get(begin) ?? []), needle]);
    }
    this.traces = needles.length;
  }

  /** What was found; empty when there is nothing. A text counts too when it is broken into lines, or put in columns. */
  find(searched: Buffer | string): Finding[] {
    const octets = typeof searched === 'string' ? Buffer.from(searched, 'utf8') : searched;
    const counts = this.#count(octets);
    for (const [needle, count] of this.#count(withoutSpace(octets))) {
      counts.set(needle, Math.max(count, counts.get(needle) ?? 0));
    }
    return asFindings(counts);
  }

  /** Looks at the octets as they stand, which is twice as fast. */
  findAsIs(octets: Buffer): Finding[] {
    return asFindings(this.#count(octets));
  }

  #count(octets: Buffer): Map<Needle, number> {
    const counts = new Map<Needle, number>();
    let begin = octets.length < PREFIX ? 0 : octets.readUIntBE(0, PREFIX - 1);
    for (let at = PREFIX - 1; at < octets.length; at += 1) {
      begin = ((begin << 8) | octets[at]!) & (PREFIXES - 1);
      if (this.#pairs[begin & (PAIRS - 1)] === 1 && this.#begins[begin] === 1)
        this.#compare(octets, at - PREFIX + 1, begin, counts);
    }
    return counts;
  }

  #compare(octets: Buffer, at: number, begin: number, counts: Map<Needle, number>): void {
    for (const needle of this.#needles.get(begin) ?? []) {
      const end = at + needle.octets.length;
      if (end > octets.length || needle.octets.compare(octets, at, end) !== 0) continue;
      counts.set(needle, (counts.get(needle) ?? 0) + 1);
    }
  }
}

function asFindings(counts: ReadonlyMap<Needle, number>): Finding[] {
  return [...counts].map(([{ canary, encoding }, count]) => ({ canary, encoding, count }));
}

function withoutSpace(octets: Buffer): Buffer {
  const rest = Buffer.allocUnsafe(octets.length);
  let length = 0;
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at]!;
    if (octet !== 0x20 && octet !== 0x0a && octet !== 0x0d && octet !== 0x09) rest[length++] = octet;
  }
  return rest.subarray(0, length);
}

/** `canary: encoding ×count`, for messages of tests: never the secret itself. */
export function told(findings: readonly Finding[]): string[] {
  return findings.map(({ canary, encoding, count }) => `${canary}: ${encoding} ×${count}`);
}
