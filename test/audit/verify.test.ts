import { describe, expect, test } from 'vitest';
import { checkpointLine, endLine, entryLine } from '../../src/audit/export.ts';
import { leafHash } from '../../src/audit/merkle.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { type Finding, type Report, type VerifyOptions, verifyExport } from '../../src/audit/verify.ts';
import { draft, MemoryLog, newSigner, ORIGIN, START, streamOf } from './log.ts';

const signer = newSigner();
const log = MemoryLog.ofBatches([4, 3, 5, 4], signer);
const LINES = log.lines();

function judge(lines: readonly string[], options?: VerifyOptions): Promise<Report> {
  return verifyExport(streamOf(lines), log.verifier, options);
}

function at(index: number): number {
  return LINES.findIndex((line) => line.startsWith(`entry ${index} `));
}

/** Where the checkpoint of this size stands. */
function atCheckpoint(size: number): number {
  return at(size - 1) + 1;
}

function lineOf(index: number, json: string): string {
  return entryLine({ index, json, leafHash: leafHash(Buffer.from(json)).toString('base64') });
}

/** Kinds with places, e.g. `changed 5`, `unconfirmed 4-7`. */
function places(report: Report): string[] {
  return report.findings.map(
    (finding: Finding) =>
      `${finding.kind} ${'index' in finding ? finding.index : `${finding.range.from}-${finding.range.to}`}`,
  );
}

async function placesOf(lines: readonly string[], options?: VerifyOptions): Promise<string[]> {
  const report = await judge(lines, options);
  expect(report.intact).toBe(report.findings.length === 0);
  return places(report);
}

test('a whole export is intact: every entry, every checkpoint, and the head that covers them', async () => {
  const never = { generations: [], lost: [] };
  const all = { intact: true, entries: 16, checkpoints: 4, head: log.head(), findings: [] };
  expect(await judge(LINES)).toEqual({ ...all, ...never });
});

describe('an entry that was changed in place is named', () => {
  const changed = recordEntry({ ...draft(5), actor: 'service:other' }, 5, START + 5_000).json;

  test('when its text was changed; the signed tree stands by its leaf hash, and the rest is confirmed', async () => {
    const lines = LINES.with(at(5), LINES[at(5)]!.replace('payments', 'refunds'));
    const report = await judge(lines);
    expect(places(report)).toEqual(['changed 5']);
    expect(report).toMatchObject({ checkpoints: 4, head: { size: 16 } });
  });

  test('when its leaf hash was changed: the signed tree stands by its text', async () => {
    const lines = LINES.with(
      at(5),
      LINES[at(5)]!.replace(/^entry 5 [^ ]+/, `entry 5 ${leafHash(Buffer.of()).toString('base64')}`),
    );
    expect(await placesOf(lines)).toEqual(['changed 5']);
  });

  test('when its leaf hash cannot be read', async () => {
    expect(await placesOf(LINES.with(at(5), LINES[at(5)]!.replace(/^entry 5 ./, 'entry 5 *')))).toEqual(['changed 5']);
  });

  test('when the number in front was changed', async () => {
    for (const number of ['6', '0', '999999', 'x']) {
      const lines = LINES.with(at(5), LINES[at(5)]!.replace('entry 5', `entry ${number}`));
      expect(await placesOf(lines)).toEqual(['changed 5']);
    }
  });

  test('as its batch, when text and leaf hash were both changed', async () => {
    const report = await judge(LINES.with(at(5), lineOf(5, changed)));
    expect(places(report)).toEqual(['unconfirmed 4-7']);
    expect(report).toMatchObject({ checkpoints: 1, head: { size: 4 } });
  });

  test('when two entries of different batches were changed', async () => {
    const lines = LINES.with(at(2), LINES[at(2)]!.replace('payments', 'x')).with(
      at(9),
      LINES[at(9)]!.replace('lean', 'y'),
    );
    expect(await placesOf(lines)).toEqual(['changed 2', 'changed 9']);
  });
});

describe('an entry that is not where it belongs is named', () => {
  test('when it was removed', async () => {
    expect(await placesOf(LINES.toSpliced(at(5), 1))).toEqual(['unconfirmed 4-7', 'removed 5-6']);
  });

  test('when it was the last of its batch', async () => {
    expect(await placesOf(LINES.toSpliced(at(6), 1))).toEqual(['unconfirmed 4-7', 'removed 6-7']);
  });

  test('when a whole batch and its checkpoint were removed', async () => {
    expect(await placesOf(LINES.toSpliced(at(4), 4))).toEqual(['unconfirmed 4-12', 'removed 4-7']);
  });

  test('when it was the last of the log, and the end line was made to fit', async () => {
    const lines = LINES.toSpliced(at(15), 1).with(-1, endLine(15));
    expect(await placesOf(lines)).toEqual(['unconfirmed 12-16', 'miscounted 15-16', 'removed 15-16']);
  });

  test('when it was duplicated, and the tree without the copy is confirmed', async () => {
    expect(await placesOf(LINES.toSpliced(at(5), 0, LINES[at(5)]!))).toEqual(['inserted 5']);
    expect(await placesOf(LINES.toSpliced(at(5), 0, LINES[at(9)]!))).toEqual(['inserted 9']);
    expect(await placesOf(LINES.toSpliced(at(9), 0, LINES[at(5)]!))).toEqual(['inserted 5']);
  });

  test('when a foreign one was inserted', async () => {
    const foreign = lineOf(5, recordEntry({ ...draft(5), actor: 'service:forged' }, 5, START).json);
    expect(await placesOf(LINES.toSpliced(at(5), 0, foreign))).toContain('inserted 5');
  });

  test('when two entries changed places, near or far', async () => {
    const swap = (a: number, b: number) => LINES.with(at(a), LINES[at(b)]!).with(at(b), LINES[at(a)]!);
    expect(await placesOf(swap(4, 5))).toContain('reordered 5');
    expect(await placesOf(swap(2, 13))).toEqual(expect.arrayContaining(['reordered 2', 'reordered 13']));
    expect(await placesOf(swap(6, 7))).toContain('reordered 7');
    expect(await placesOf(swap(0, 15))).toEqual(expect.arrayContaining(['reordered 0', 'reordered 15']));
  });

  test('when it was moved to another batch', async () => {
    expect(await placesOf(LINES.toSpliced(at(2), 1).toSpliced(at(9) - 1, 0, LINES[at(2)]!))).toContain('reordered 2');
  });
});

describe('checkpoints', () => {
  test('that were not signed by the log are named by the entries they should cover', async () => {
    const stranger = newSigner().sign(log.headAt(7));
    expect(await placesOf(LINES.with(atCheckpoint(7), checkpointLine(stranger)))).toEqual(['checkpoint 4-7']);
  });

  test('that stand elsewhere are named', async () => {
    const [entry, checkpoint] = [LINES[at(6)]!, LINES[atCheckpoint(7)]!];
    const swapped = LINES.with(at(6), checkpoint).with(at(6) + 1, entry);
    expect(await placesOf(swapped)).toEqual(['checkpoint 6-7']);
    expect(await placesOf(LINES.toSpliced(at(9), 0, checkpoint))).toEqual(['checkpoint 7-9']);
    expect(await placesOf(LINES.toSpliced(at(2), 0, checkpoint))).toEqual(['checkpoint 2-7']);
    expect(await placesOf(LINES.toSpliced(atCheckpoint(7), 0, checkpoint))).toEqual(['checkpoint 7-7']);
  });

  test('in between may be missing: the next one covers their entries', async () => {
    expect(await judge(LINES.toSpliced(atCheckpoint(7), 1))).toMatchObject({ intact: true, checkpoints: 3 });
  });

  test('at the end may not: the tail is unsigned', async () => {
    expect(await placesOf(LINES.toSpliced(-2, 1))).toEqual(['unsigned 12-16']);
  });

  test('are needed, for an empty log too', async () => {
    const empty = MemoryLog.ofBatches([], signer).lines();
    expect(await placesOf(empty)).toEqual([]);
    expect(await placesOf(empty.toSpliced(1, 1))).toEqual(['unsigned 0-0']);
  });
});

describe('the frame of the file', () => {
  test('a cut file says where it was cut', async () => {
    expect(await placesOf(LINES.slice(0, -1))).toEqual(['cut 16']);
    expect(await placesOf(LINES.slice(0, at(9)))).toEqual(['unsigned 7-9', 'cut 9']);
    expect(await placesOf([])).toEqual(['cut 0', 'unsigned 0-0']);
  });

  test('the header must be there, of this log and of a known version', async () => {
    expect(await placesOf(LINES.slice(1))).toEqual(['header 0']);
    expect(await placesOf(LINES.with(0, 'keyturn-audit-export/1 other.example/log'))).toEqual(['header 0']);
    expect(await placesOf(LINES.with(0, `keyturn-audit-export/2 ${ORIGIN}`))).toEqual(['header 0']);
    expect(await placesOf(LINES.toSpliced(at(5), 0, LINES[0]!))).toEqual(['unreadable 5']);
  });

  test('an unreadable line is named by the entry that was expected', async () => {
    expect(await placesOf(LINES.toSpliced(at(5), 0, 'junk'))).toEqual(['unreadable 5']);
    expect(await placesOf(LINES.with(at(5), 'junk'))).toContain('removed 5-6');
  });

  test('nothing may stand behind the end', async () => {
    expect(await placesOf([...LINES, 'junk'])).toEqual(['unreadable 16']);
    expect(await placesOf([...LINES, endLine(16)])).toEqual(['unreadable 16']);
  });

  test('the end must count the entries', async () => {
    expect(await placesOf(LINES.with(-1, endLine(15)))).toEqual(['miscounted 15-16']);
    expect(await placesOf(LINES.with(-1, endLine(18)))).toEqual(['unsigned 16-18', 'removed 16-18']);
  });
});

describe('what the log itself signed wrongly', () => {
  test('an entry that goes back in time is named', async () => {
    const bad = new MemoryLog(signer);
    for (const [index, ms] of [5, 9, 8, 9].entries()) bad.add(recordEntry(draft(index), index, START + ms));
    bad.batch([]);
    expect(await placesOf(bad.lines())).toEqual(['time 2']);
  });

  test('an entry of a later envelope version is named', async () => {
    const bad = new MemoryLog(signer);
    const { entry, json } = recordEntry(draft(0), 0, START);
    const later = json.replace('"v":1', '"v":2');
    bad.add({ entry, json: later, leafHash: leafHash(Buffer.from(later)) });
    bad.batch([]);
    expect(await placesOf(bad.lines())).toEqual(['malformed 0']);
  });
});

describe('against outside checkpoints', () => {
  const outside = (size: number) => signer.sign(log.headAt(size));

  test('a log that continues them is intact', async () => {
    const since = Array.from({ length: 17 }, (_, size) => outside(size));
    expect(await placesOf(LINES, { since: since.toReversed() })).toEqual([]);
  });

  test('a log that was cut cleanly is intact by itself, and cut by the outside', async () => {
    const cut = MemoryLog.ofBatches([4, 3], signer).lines();
    expect(await placesOf(cut)).toEqual([]);
    expect(await placesOf(cut, { since: [outside(16)] })).toEqual(['cut 7-16']);
  });

  test('a log that was rewritten with its key is intact by itself, and rewritten by the outside', async () => {
    const forged = new MemoryLog(signer);
    forged.batch(Array.from({ length: 4 }, (_, index) => draft(index)));
    forged.batch(Array.from({ length: 12 }, (_, at) => ({ ...draft(4 + at), actor: 'service:forged' })));
    expect(await placesOf(forged.lines())).toEqual([]);
    expect(await placesOf(forged.lines(), { since: [outside(16)] })).toEqual(['rewritten 0-16']);
    expect(await placesOf(forged.lines(), { since: [outside(4), outside(7)] })).toEqual(['rewritten 4-7']);
    expect(await placesOf(forged.lines(), { since: [outside(3)] })).toEqual([]);
  });

  test('two outside checkpoints that contradict each other show a fork', async () => {
    const fork = MemoryLog.ofBatches([7], signer);
    fork.entries[3] = recordEntry({ ...draft(3), actor: 'service:forged' }, 3, START);
    expect(await placesOf(LINES, { since: [outside(7), signer.sign(fork.headAt(7))] })).toEqual(['rewritten 7-7']);
  });

  test('one that is not of this log is an error: the question cannot be answered', async () => {
    for (const note of ['', 'junk', newSigner().sign(log.headAt(4))]) {
      await expect(judge(LINES, { since: [outside(4), note] })).rejects.toMatchObject({ code: 'audit_invalid' });
    }
  });
});

test('a file of nothing but faults is judged with a bounded list of findings', async () => {
  const junk = Array.from({ length: 50_000 }, () => 'junk');
  const report = await judge([LINES[0]!, ...junk]);
  expect(report.findings.length).toBeLessThan(3_001);
  expect(report).toMatchObject({ intact: false, more: 49_000 + 2 });
});

test('no finding quotes the export', async () => {
  const lines = LINES.map((line, index) => (index % 3 === 0 ? `${line} canary` : line.replace('payments', 'canary')));
  expect(JSON.stringify(await judge(['canary', ...lines]))).not.toContain('canary');
});
