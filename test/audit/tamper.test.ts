import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CheckpointOpener } from '../../src/audit/checkpoint.ts';
import { entryLine, readLines } from '../../src/audit/export.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { ExportJudge } from '../../src/audit/verify/judge.ts';
import { type Report, verifyExport } from '../../src/audit/verify.ts';
import { batchesOf, draft, MemoryLog, newSigner, randomFrom, remembering, START, streamOf } from './log.ts';

/**
 * Every way to tamper with an export of 256 entries that one edit can be, tried one by one: each must be found, and
 * an edit in place must name its entry. The octets in front of an edit are judged once and the judgement is copied.
 */
const ENTRIES = 256;
const random = randomFrom(20_261_123);
const signer = newSigner();
const log = MemoryLog.ofBatches(batchesOf(ENTRIES, 12, random), signer);
const verifier: CheckpointOpener = remembering(log.verifier);
const LINES = log.lines();
/** Entry index of each line, null for the others. */
const INDEXES = LINES.map((line) => (line.startsWith('entry ') ? Number(line.split(' ')[1]) : null));
const ENTRY_LINES = INDEXES.flatMap((index, at) => (index === null ? [] : [at]));
/** The judgement before each line. */
const BEFORE: ExportJudge[] = [];

beforeAll(() => {
  const judge = ExportJudge.start(verifier, []);
  for (const line of LINES) {
    BEFORE.push(judge.clone());
    judge.line(line);
  }
  expect(judge.finish()).toMatchObject({ intact: true, entries: ENTRIES });
});

/** Judges the export with the lines from `at` on replaced. */
function judgeFrom(at: number, rest: readonly string[]): Report {
  const judge = BEFORE[at]!.clone();
  for (const line of rest) judge.line(line);
  return judge.finish();
}

function names(report: Report, index: number): boolean {
  return report.findings.some((finding) =>
    'index' in finding ? finding.index === index : finding.range.from <= index && index < finding.range.to,
  );
}

function namesExactly(report: Report, index: number): boolean {
  return report.findings.some((finding) => 'index' in finding && finding.index === index);
}

/** The lines that these octets hold: what `readLines` makes of them. */
async function linesOf(octets: Buffer): Promise<string[]> {
  return Array.fromAsync(readLines(streamOf([octets])));
}

/** The octets of one line and its line feed, with one octet changed; then all the lines after it. */
async function flippedFrom(at: number, octets: Buffer, offset: number, mask: number): Promise<string[]> {
  const changed = Buffer.from(octets);
  changed[offset]! ^= mask;
  // Most edits leave one line of UTF-8; only the others need the reader's judgement.
  if (isUtf8(changed) && changed.indexOf(0x0a) === changed.length - 1) {
    return [changed.toString('utf8', 0, changed.length - 1), ...LINES.slice(at + 1, at + 4)];
  }
  if (changed.at(-1) === 0x0a) return [...(await linesOf(changed)), ...LINES.slice(at + 1)];
  const joined = Buffer.concat([changed, Buffer.from(`${LINES[at + 1] ?? ''}\n`)]);
  return [...(await linesOf(at + 1 < LINES.length ? joined : changed)), ...LINES.slice(at + 2)];
}

/** Tries one edit after another; returns what was tried and what escaped. */
async function enumerate(
  edits: AsyncIterable<boolean> | Iterable<boolean>,
): Promise<{ tried: number; escaped: number }> {
  let [tried, escaped] = [0, 0];
  for await (const found of edits) {
    tried += 1;
    if (!found) escaped += 1;
  }
  return { tried, escaped };
}

describe('every octet changed in place', () => {
  /** The next line tells what the changed one was; what comes behind can add nothing that an edit could hide behind. */
  const ENOUGH = 2;

  async function isFound(at: number, octets: Buffer, offset: number, mask: number): Promise<boolean> {
    const rest = await flippedFrom(at, octets, offset, mask);
    const judge = BEFORE[at]!.clone();
    for (const line of rest.slice(0, ENOUGH)) judge.line(line);
    const flawed = judge.flawed || rest.length <= ENOUGH;
    const report = judge.finish();
    const index = INDEXES[at] ?? null;
    return flawed && !report.intact && (index === null || namesExactly(report, index));
  }

  async function* flips(at: number, masksAt: (offset: number) => readonly number[]): AsyncGenerator<boolean> {
    const octets = Buffer.from(`${LINES[at]!}\n`, 'utf8');
    for (let offset = 0; offset < octets.length; offset += 1) {
      for (const mask of masksAt(offset)) {
        yield await isFound(at, octets, offset, mask);
      }
    }
  }

  test('all eight bits of every octet of eight entries, named', async () => {
    async function* edits(): AsyncGenerator<boolean> {
      const sample = ENTRY_LINES.filter((_, at) => at % 32 === 31);
      for (const at of sample) yield* flips(at, () => [1, 2, 4, 8, 16, 32, 64, 128]);
    }
    const { tried, escaped } = await enumerate(edits());
    expect(tried).toBeGreaterThan(10_000);
    expect(escaped).toBe(0);
  });

  test('every octet of the whole file, by one bit', async () => {
    async function* edits(): AsyncGenerator<boolean> {
      for (const at of LINES.keys()) yield* flips(at, (offset) => [1 << ((at + offset) % 8)]);
    }
    const { tried, escaped } = await enumerate(edits());
    expect(tried).toBe(Buffer.byteLength(`${LINES.join('\n')}\n`));
    expect(escaped).toBe(0);
  }, 60_000);
});

describe('every line that is not where it belongs', () => {
  test('each entry removed, named', async () => {
    const edits = ENTRY_LINES.map((at) => {
      const index = INDEXES[at]!;
      const range = { from: index, to: index + 1 };
      const { findings } = judgeFrom(at, LINES.slice(at + 1));
      return findings.some(
        (finding) => 'range' in finding && finding.kind === 'removed' && isDeepStrictEqual(finding.range, range),
      );
    });
    expect(await enumerate(edits)).toEqual({ tried: ENTRIES, escaped: 0 });
  });

  test('each entry duplicated, named', async () => {
    const edits = ENTRY_LINES.map((at) => namesExactly(judgeFrom(at, [LINES[at]!, ...LINES.slice(at)]), INDEXES[at]!));
    expect(await enumerate(edits)).toEqual({ tried: ENTRIES, escaped: 0 });
  });

  function swap(first: number, second: number): Report {
    const [a, b] = [ENTRY_LINES[first]!, ENTRY_LINES[second]!];
    const rest = LINES.slice(a)
      .with(0, LINES[b]!)
      .with(b - a, LINES[a]!);
    return judgeFrom(a, rest);
  }

  test('each entry swapped with the next, named', async () => {
    const edits = ENTRY_LINES.slice(1).map((_, first) => {
      const report = swap(first, first + 1);
      return namesExactly(report, first) || namesExactly(report, first + 1);
    });
    expect(await enumerate(edits)).toEqual({ tried: ENTRIES - 1, escaped: 0 });
  });

  test('five hundred random pairs swapped, both named', async () => {
    function* edits(): Generator<boolean> {
      for (let count = 0; count < 500; count += 1) {
        const first = Math.floor(random() * (ENTRIES - 2));
        const second = first + 2 + Math.floor(random() * (ENTRIES - first - 2));
        const report = swap(first, second);
        // Of three in a row turned around, any one may be called the one that stayed.
        yield namesExactly(report, second) && (second - first === 2 || namesExactly(report, first));
      }
    }
    expect(await enumerate(edits())).toEqual({ tried: 500, escaped: 0 });
  });

  test('an entry inserted at each of 257 places, named', async () => {
    const places = [...ENTRY_LINES, LINES.length - 1];
    const edits = places.map((at, index) => {
      const forged = recordEntry({ ...draft(index), actor: 'service:forged' }, index, START + index * 1_000);
      const line = entryLine({ index, json: forged.json, leafHash: forged.leafHash.toString('base64') });
      return names(judgeFrom(at, [line, ...LINES.slice(at)]), index);
    });
    expect(await enumerate(edits)).toEqual({ tried: ENTRIES + 1, escaped: 0 });
  });
});

describe('every cut', () => {
  test('after each line', async () => {
    const edits = LINES.map((_, at) => {
      const report = judgeFrom(at, []);
      return !report.intact && report.findings.some(({ kind }) => kind === 'cut');
    });
    expect(await enumerate(edits)).toEqual({ tried: LINES.length, escaped: 0 });
  });

  test('at each octet from the last entry to the last line feed', async () => {
    const at = ENTRY_LINES.at(-1)!;
    const octets = Buffer.from(`${LINES.slice(at).join('\n')}\n`);
    async function* edits(): AsyncGenerator<boolean> {
      for (let length = 0; length < octets.length; length += 1) {
        yield !judgeFrom(at, await linesOf(octets.subarray(0, length))).intact;
      }
    }
    expect(await enumerate(edits())).toEqual({ tried: octets.length, escaped: 0 });
  });

  test('of the log itself by a holder of its key: intact by itself, cut against any larger outside checkpoint', async () => {
    const since = [signer.sign(log.headAt(ENTRIES))];
    for (const { size } of log.checkpoints.slice(0, -1)) {
      const cut = new MemoryLog(signer);
      for (const entry of log.entries.slice(0, size)) cut.add(entry);
      if (size > 0) cut.batch([]);
      expect((await verifyExport(streamOf(cut.lines()), verifier)).intact).toBe(true);
      const report = await verifyExport(streamOf(cut.lines()), verifier, { since });
      expect(report.findings).toMatchObject([{ kind: 'cut', range: { from: size, to: ENTRIES } }]);
    }
  });
});

describe('every forgery', () => {
  const FORGED = log.entries.map((_, index) =>
    recordEntry({ ...draft(index), actor: 'service:forged' }, index, START + index * 1_000),
  );

  /** Another history from one entry on, with all hashes made anew. */
  function forgedFrom(from: number): MemoryLog {
    const forged = new MemoryLog(signer);
    for (const entry of [...log.entries.slice(0, from), ...FORGED.slice(from)]) forged.add(entry);
    forged.batch([]);
    return forged;
  }

  test('from each entry on without the key names the range from the last good checkpoint', async () => {
    const edits = Array.from({ length: ENTRIES }, (_, from) => {
      const rest = LINES.slice(ENTRY_LINES[from]!).map((line, offset) => {
        const index = INDEXES[ENTRY_LINES[from]! + offset];
        if (index === null || index === undefined) return line;
        const { json, leafHash } = FORGED[index]!;
        return entryLine({ index, json, leafHash: leafHash.toString('base64') });
      });
      const report = judgeFrom(ENTRY_LINES[from]!, rest);
      return names(report, from) && (report.head?.size ?? 0) <= from;
    });
    expect(await enumerate(edits)).toEqual({ tried: ENTRIES, escaped: 0 });
  });

  test('from each entry on with the key: intact by itself, rewritten against an outside checkpoint', async () => {
    const since = [signer.sign(log.headAt(ENTRIES))];
    async function* edits(): AsyncGenerator<boolean> {
      for (let from = 0; from < ENTRIES; from += 4) {
        const lines = forgedFrom(from).lines();
        const alone = await verifyExport(streamOf(lines), verifier);
        const report = await verifyExport(streamOf(lines), verifier, { since });
        yield alone.intact && report.findings.some(({ kind }) => kind === 'rewritten');
      }
    }
    expect(await enumerate(edits())).toEqual({ tried: ENTRIES / 4, escaped: 0 });
  });
});
