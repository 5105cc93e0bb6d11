import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LogVerifier, type TreeHead } from '../../src/audit/checkpoint.ts';
import { openGeneration, signGeneration } from '../../src/audit/generation.ts';
import { EMPTY_ROOT } from '../../src/audit/merkle.ts';
import { formatVkey, noteKey, signNote } from '../../src/audit/note.ts';
import { type Receipt, type SeenTree, verifyReceipt } from '../../src/audit/receipt.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { type Report, type VerifyOptions, verifyExport } from '../../src/audit/verify.ts';
import { codeOf, draft, MemoryLog, newSigner, ORIGIN, START, streamOf } from './log.ts';

const signer = newSigner();
/** The log that was lost: 20 entries; the backup holds 8 of them. */
const first = MemoryLog.ofBatches([4, 4, 6, 6], signer);
const second = first.restored(8, 2);
second.batch([draft(9), draft(10), draft(11)]);
const STATEMENT = second.statements[0] ?? '';

/** What a server gives to a client that has seen `seen` of an older generation. */
function receipt(
  log: MemoryLog,
  index: number,
  from: number,
  generations: readonly string[] = log.statements,
): Receipt {
  return { ...log.receipt(index, from), ...(generations.length === 0 ? {} : { generations }) };
}

function codeFor(given: Receipt, seen: SeenTree | null): string {
  return codeOf(() => verifyReceipt(given, first.verifier, seen));
}

describe('a checkpoint', () => {
  test('of a later generation says so in an extension line, of the first one it says nothing', () => {
    const note = signer.ofGeneration(3).sign({ size: 8, root: EMPTY_ROOT });
    expect(note).toContain(`${EMPTY_ROOT.toString('base64')}\ngeneration 3\n\n`);
    expect(first.verifier.open(note).generation).toBe(3);
    expect(first.checkpoints.at(-1)?.note).not.toContain('generation');
    expect(first.head().generation).toBe(1);
  });

  test.each([
    'generation 1',
    'generation 0',
    'generation 02',
    'generation x',
    'generation 2\ngeneration 2',
    'generation ',
  ])('that says "%s" is refused', (line) => {
    const text = `${ORIGIN}\n3\n${Buffer.alloc(32).toString('base64')}\n${line}\n`;
    // The origin in front makes it a checkpoint, so it can't be signed as another text.
    expect(codeOf(() => signer.signText(text))).toBe('internal');
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key = noteKey(ORIGIN, publicKey);
    const verifier = new LogVerifier({ origin: ORIGIN, keys: [formatVkey(key)] });
    const good = text.replace(line, 'generation 2');
    expect(verifier.open(signNote(good, key, privateKey)).generation).toBe(2);
    expect(codeOf(() => verifier.open(signNote(text, key, privateKey)))).toBe('audit_invalid');
  });
});

describe('a statement', () => {
  const good = { generation: 2, follows: 1, base: first.headAt(8), time: '2026-11-24T10:00:00.000Z' };

  test('opens to what was signed', () => {
    const note = signGeneration(signer, good);
    expect(openGeneration(first.verifier, note)).toEqual({ origin: ORIGIN, ...good });
  });

  test.each([
    ['goes back', { generation: 1, follows: 2 }],
    ['follows itself', { generation: 2, follows: 2 }],
    ['follows none', { generation: 2, follows: 0 }],
    ['has a base that is no size', { base: { size: -1, root: EMPTY_ROOT } }],
    ['has an empty base with a root', { base: { size: 0, root: Buffer.alloc(32) } }],
    ['has a root that is no hash', { base: { size: 3, root: Buffer.alloc(31) } }],
    ['has no time', { time: 'today' }],
    ['has a line more', { time: '2026-11-24T10:00:00.000Z\n' }],
  ])('that %s is refused', (_, change) => {
    const note = signGeneration(signer, { ...good, ...change });
    expect(codeOf(() => openGeneration(first.verifier, note))).toBe('audit_invalid');
  });

  test('of another log, by another key or changed is refused', () => {
    const note = signGeneration(signer, good);
    for (const wrong of [
      signGeneration(newSigner(), good),
      signGeneration(newSigner('other/log'), good),
      note.replace('\n8\n', '\n7\n'),
      first.checkpoints.at(-1)?.note ?? '',
    ]) {
      expect(codeOf(() => openGeneration(first.verifier, wrong))).toBe('audit_invalid');
    }
  });
});

describe('a client that knew the log before it was restored', () => {
  test.each([1, 5, 8])('and had seen %d of its entries, all of them kept, is proven that it goes on', (size) => {
    const proven = verifyReceipt(receipt(second, 10, size), first.verifier, first.headAt(size));
    expect(proven).toMatchObject({ size: 12, generation: 2, restart: { from: 1, to: 2, lost: 0, continues: true } });
  });

  test.each([9, 12, 20])('and had seen %d entries is told how many are lost', (size) => {
    const proven = verifyReceipt(receipt(second, 10, 8), first.verifier, first.headAt(size));
    expect(proven).toMatchObject({ size: 12, generation: 2, restart: { lost: size - 8, continues: false } });
  });

  test('and finds an older generation again sees a fork, however much it shows', () => {
    const seen = { ...second.headAt(12), generation: 2 };
    expect(codeFor(first.receipt(15, 12), seen)).toBe('log_forked');
    expect(codeFor(receipt(first, 15, 12, [STATEMENT]), seen)).toBe('log_forked');
  });

  test('and finds other entries below the base sees a fork', () => {
    const other = MemoryLog.ofBatches([4], signer);
    other.batch([0, 1, 2, 3].map((at) => ({ ...draft(4 + at), actor: 'service:forged' })));
    other.startGeneration(2);
    expect(codeFor(receipt(other, 8, 6), first.headAt(6))).toBe('log_forked');
  });

  test('and is shown less than the new generation began with sees a fork', () => {
    const stale = { ...first.receipt(3, 0), checkpoint: signer.ofGeneration(2).sign(first.headAt(8)) };
    expect(codeFor({ ...stale, generations: [STATEMENT] }, first.headAt(12))).toBe('log_forked');
  });

  test('and is given no statement, or one that does not lead there, has a receipt that proves nothing', () => {
    const { generations: _, ...bare } = receipt(second, 10, 8);
    expect(codeFor(bare, first.headAt(12))).toBe('receipt_invalid');
    const stranger = signGeneration(newSigner(), { generation: 2, follows: 1, base: first.headAt(8), time: TIME });
    const higher = signGeneration(signer, { generation: 3, follows: 1, base: first.headAt(8), time: TIME });
    const later = signGeneration(signer, { generation: 2, follows: 1, base: first.headAt(8), time: TIME });
    for (const notes of [
      [],
      [stranger],
      [higher],
      [STATEMENT, later],
      [STATEMENT, STATEMENT],
      [STATEMENT, 7],
      'text',
    ]) {
      expect(codeFor({ ...bare, generations: notes as string[] }, first.headAt(12))).toBe('receipt_invalid');
    }
  });

  test('and a statement of a base that is not of this tree sees a fork', () => {
    const base: TreeHead = { size: 8, root: first.headAt(7).root };
    const wrong = signGeneration(signer, { generation: 2, follows: 1, base, time: TIME });
    expect(codeFor(receipt(second, 10, 8, [wrong]), first.headAt(12))).toBe('log_forked');
  });

  test('goes through several restores at once, from the smallest of their bases', () => {
    const third = second.restored(12, 5);
    expect(third.statements).toHaveLength(2);
    const kept = verifyReceipt(receipt(third, 12, 7), first.verifier, first.headAt(7));
    expect(kept).toMatchObject({ generation: 5, restart: { from: 1, to: 5, lost: 0, continues: true } });
    const lost = verifyReceipt(receipt(third, 12, 8), first.verifier, first.headAt(10));
    expect(lost.restart).toMatchObject({ lost: 2, base: { size: 8 } });
    // One that knew the generation between needs the last statement alone.
    const between = { ...second.headAt(10), generation: 2 };
    const last = receipt(third, 12, 10, third.statements.slice(1));
    expect(verifyReceipt(last, first.verifier, between).restart).toMatchObject({
      from: 2,
      to: 5,
      lost: 0,
      continues: true,
    });
  });

  test('takes no statements that begin after it, and none that begin before it', () => {
    const third = second.restored(12, 5);
    const [, last] = third.statements as [string, string];
    // The first is missing: between 1 and 2 anything may have happened.
    expect(codeFor(receipt(third, 12, 8, [last]), first.headAt(8))).toBe('receipt_invalid');
    const between = { ...second.headAt(10), generation: 2 };
    expect(codeFor(receipt(third, 12, 8), between)).toBe('receipt_invalid');
  });

  test('of a generation that the restored log never had is told that nothing can be compared', () => {
    const older = first.restored(4, 3);
    const seen = { ...second.headAt(12), generation: 2 };
    const proven = verifyReceipt(receipt(older, 4, 4), first.verifier, seen);
    expect(proven.restart).toMatchObject({ from: 2, to: 3, lost: 8, continues: false });
  });
});

const TIME = '2026-11-25T10:00:00.000Z';

function judge(log: MemoryLog, options?: VerifyOptions): Promise<Report> {
  return verifyExport(streamOf(log.lines()), log.verifier, options);
}

function places(report: Report): string[] {
  return report.findings.map((finding) => `${finding.kind} ${'index' in finding ? finding.index : finding.range.to}`);
}

describe('an export of a restored log', () => {
  const noteAt = (log: MemoryLog, size: number) => log.checkpoints.find((each) => each.size === size)?.note ?? '';

  test('is intact, and names the generation', async () => {
    expect(await judge(second)).toMatchObject({
      intact: true,
      head: { size: 12, generation: 2 },
      generations: [{ generation: 2, follows: 1, base: 8 }],
      lost: [],
    });
  });

  test('names what an outside checkpoint saw of the one before, within the size it has grown to and past it', async () => {
    const grown = first.restored(8, 2);
    grown.batch(Array.from({ length: 30 }, (_, at) => draft(9 + at)));
    for (const log of [second, grown]) {
      const report = await judge(log, { since: [noteAt(first, 4), noteAt(first, 8), noteAt(first, 20)] });
      expect(report).toMatchObject({ intact: true, lost: [{ generation: 1, from: 8, to: 20 }] });
    }
  });

  test('without its statement is a fork still: an outside checkpoint shows the cut and the other text', async () => {
    const bare = MemoryLog.ofBatches([4, 4], signer);
    expect(places(await judge(bare, { since: [noteAt(first, 20)] }))).toEqual(['cut 20']);
    bare.batch(Array.from({ length: 20 }, (_, at) => ({ ...draft(8 + at), actor: 'service:other' })));
    expect(places(await judge(bare, { since: [noteAt(first, 20)] }))).toEqual(['rewritten 20']);
  });

  test('excuses nothing that was signed in its own generation, nor below its base', async () => {
    const other = first.restored(8, 2);
    other.batch([draft(9), { ...draft(10), actor: 'service:forged' }, draft(11)]);
    expect(places(await judge(other, { since: [noteAt(second, 12)] }))).toEqual(['rewritten 12']);
    const forged = MemoryLog.ofBatches([4], signer);
    forged.batch([0, 1, 2, 3].map((at) => ({ ...draft(4 + at), actor: 'service:forged' })));
    forged.startGeneration(2);
    expect(places(await judge(forged, { since: [noteAt(first, 8)] }))).toEqual(['rewritten 8']);
    expect(places(await judge(first, { since: [noteAt(second, 12)] }))).toEqual(['rewritten 12']);
  });

  test.each([
    ['of another base', 2, { base: first.headAt(7) }],
    ['of another root', 2, { base: { size: 8, root: Buffer.alloc(32, 7) } }],
    ['that follows another generation', 3, { follows: 2 }],
  ])('with a statement %s is not', async (_, generation, change) => {
    const log = MemoryLog.ofBatches([4, 4], signer);
    log.startGeneration(generation, change);
    expect(places(await judge(log))).toContain('generation 8');
  });

  test('with an entry that bears a stranger’s statement, or checkpoints of the generation given up, is not', async () => {
    const stranger = MemoryLog.ofBatches([4, 4], signer);
    const statement = signGeneration(newSigner(), { generation: 2, follows: 1, base: first.headAt(8), time: TIME });
    stranger.batch([{ kind: 'log.generation-started', actor: 'local:restore', data: { statement } }]);
    expect(places(await judge(stranger))).toEqual(['generation 8']);
    const stale = first.restored(8, 2);
    stale.signer = signer;
    stale.add(recordEntry(draft(9), 9, START + 90_000_000));
    stale.checkpoints.push({ size: 10, note: signer.sign(stale.headAt(10)) });
    expect(places(await judge(stale))).toEqual(['checkpoint 10']);
  });
});
