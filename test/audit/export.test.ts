import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkpointLine,
  endLine,
  entryLine,
  exportLines,
  headerLine,
  MAX_LINE_BYTES,
  parseExportLine,
  readLines,
} from '../../src/audit/export.ts';
import { verifyExport } from '../../src/audit/verify.ts';
import { MemoryLog, ORIGIN, streamOf } from './log.ts';

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  return Array.fromAsync(lines);
}

function sourceOf(log: MemoryLog) {
  const entries = log.entries.map(({ json, leafHash }, index) => ({
    index,
    json,
    leafHash: leafHash.toString('base64'),
  }));
  const checkpoints = log.checkpoints.map(({ size, note }) => ({ size, checkpoint: note }));
  return { origin: ORIGIN, size: log.entries.length, entries: streamOf(entries), checkpoints: streamOf(checkpoints) };
}

describe('the writer', () => {
  test('puts each checkpoint behind the last entry that it covers, and the end last', async () => {
    const log = MemoryLog.ofBatches([2, 1]);
    const kinds = (await collect(exportLines(sourceOf(log)))).map((line) => line.split(' ').slice(0, 1).join());
    expect(kinds).toEqual([
      'keyturn-audit-export/1',
      'checkpoint',
      'entry',
      'entry',
      'checkpoint',
      'entry',
      'checkpoint',
      'end',
    ]);
  });

  test('writes a log that verifies, the empty one too', async () => {
    for (const batches of [[], [1], [3, 4, 1]]) {
      const log = MemoryLog.ofBatches(batches);
      const report = await verifyExport(exportLines(sourceOf(log)), log.verifier);
      expect(report).toMatchObject({ intact: true, entries: log.entries.length, checkpoints: batches.length + 1 });
    }
  });

  test('leaves out checkpoints of entries that came while it wrote', async () => {
    const log = MemoryLog.ofBatches([2, 2]);
    const source = sourceOf(log);
    const entries = (await Array.fromAsync(source.entries)).slice(0, 2);
    const lines = exportLines({ ...source, size: 2, entries: streamOf(entries) });
    expect(await verifyExport(lines, log.verifier)).toMatchObject({ intact: true, entries: 2, checkpoints: 2 });
  });

  test('writes what a damaged ledger has, for the verification to name', async () => {
    const log = MemoryLog.ofBatches([3]);
    const source = sourceOf(log);
    const entries = (await Array.fromAsync(source.entries)).filter(({ index }) => index !== 1);
    const report = await verifyExport(exportLines({ ...source, entries: streamOf(entries) }), log.verifier);
    expect(report.findings).toContainEqual(expect.objectContaining({ kind: 'removed', range: { from: 1, to: 2 } }));
  });
});

describe('a line', () => {
  const hash = Buffer.alloc(32, 7);
  const text = hash.toString('base64');

  test('of each kind reads back as it was written', () => {
    expect(parseExportLine(headerLine(ORIGIN))).toEqual({ kind: 'header', origin: ORIGIN });
    expect(parseExportLine(entryLine({ index: 12, json: '{"a": 1}', leafHash: text }))).toEqual({
      kind: 'entry',
      index: 12,
      leafHash: hash,
      json: '{"a": 1}',
    });
    expect(parseExportLine(checkpointLine('é\n'))).toEqual({ kind: 'checkpoint', note: 'é\n' });
    expect(parseExportLine(endLine(0))).toEqual({ kind: 'end', size: 0 });
  });

  test.each([
    '',
    'entry',
    'entry 1',
    `entry 1 ${text}`,
    'end',
    'end 01',
    'end -1',
    'end 1 ',
    'END 1',
    ' end 1',
    'end 1e3',
  ])('%j is unreadable', (line) => expect(parseExportLine(line)).toEqual({ kind: 'unreadable' }));

  test('of a later format version is unreadable', () => {
    expect(parseExportLine(`keyturn-audit-export/2 ${ORIGIN}`)).toEqual({ kind: 'unreadable' });
  });

  test('keeps what can be read of an entry whose number or hash cannot', () => {
    const broken = { kind: 'entry', index: null, leafHash: null, json: '{}' };
    for (const index of ['01', '', 'x', '9007199254740993'])
      expect(parseExportLine(`entry ${index} ?? {}`)).toEqual(broken);
  });

  test('keeps no note of base64 that is not strict, or not UTF-8', () => {
    const none = { kind: 'checkpoint', note: null };
    for (const encoded of ['YQ', 'YR==', 'Y Q==', '/w=='])
      expect(parseExportLine(`checkpoint ${encoded}`)).toEqual(none);
  });

  test('of any text is read without an error', () => {
    const start = fc.constantFrom('', 'entry ', 'checkpoint ', 'end ', 'keyturn-audit-export/1 ');
    fc.assert(fc.property(start, fc.string(), (prefix, rest) => parseExportLine(prefix + rest).kind !== undefined));
  });
});

describe('the reader', () => {
  test('finds the same lines however the octets are cut into chunks', async () => {
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '✓', '\u{1f511}', ' ', '\r') }), {
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(lines, fc.array(fc.integer({ min: 1, max: 9 })), async (expected, cuts) => {
        const octets = Buffer.from(`${expected.join('\n')}\n`, 'utf8');
        const chunks: Buffer[] = [];
        let at = 0;
        for (const length of [...cuts, octets.length]) {
          chunks.push(octets.subarray(at, at + length));
          at += length;
        }
        expect(await collect(readLines(streamOf(chunks)))).toEqual(expected);
      }),
    );
  });

  test('takes chunks of text as well', async () => {
    expect(await collect(readLines(streamOf(['a\nb', 'c\n'])))).toEqual(['a', 'bc']);
  });

  test('marks a last line without a line feed, even an "end" that looks whole', async () => {
    expect(await collect(readLines(streamOf(['a\nend 1'])))).toEqual(['a', 'end 1\ufffd']);
  });

  test('marks a line that is not UTF-8, so that it cannot pass for one that held U+FFFD', async () => {
    const octets = Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}\n')]);
    expect(await collect(readLines(streamOf([octets])))).toEqual(['{"a":"\ufffd"}\ufffd']);
  });

  test('passes a line at the limit, cuts and marks a longer one, and goes on behind it', async () => {
    const longest = 'x'.repeat(MAX_LINE_BYTES);
    const [first, second, third] = await collect(readLines(streamOf([`${longest}\n${longest}`, 'y\nthird\n'])));
    expect(first).toBe(longest);
    expect(second).toBe(`${longest}\ufffd`);
    expect(third).toBe('third');
  });

  test('holds no more than one line of an endless one', async () => {
    const chunk = Buffer.alloc(1_048_576, 'x');
    const before = process.memoryUsage().rss;
    const [line] = await collect(readLines(streamOf(Array.from({ length: 256 }, () => chunk))));
    expect(line!.length).toBeLessThan(MAX_LINE_BYTES + 4);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
  });
});
