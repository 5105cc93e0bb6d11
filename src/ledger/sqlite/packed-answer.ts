import type { Receipt } from '../../audit/receipt.ts';
import type { BatchAnswer, ChangeResult } from '../batch/answer.ts';

/**
 * A batch's answer on its way from the writer's thread. What a message costs goes by its objects and texts, and a receipt
 * has thirty: its hashes (base64, which has no space) go as one text, and the checkpoint, which all have in common, once.
 */
export interface PackedAnswer {
  readonly size: number;
  readonly checkpoint: string | null;
  readonly results: readonly PackedResult[];
}

type PackedResult = ChangeResult | PackedReceipt;

/** Index, time, entry, inclusion; from where the log goes on and that path, -1 and nothing when it was not asked for. */
type PackedReceipt = readonly [number, number, string, string, number, string];

export function pack({ size, checkpoint, results }: BatchAnswer): PackedAnswer {
  return { size, checkpoint, results: results.map((result) => packResult(result, checkpoint)) };
}

export function unpack({ size, checkpoint, results }: PackedAnswer): BatchAnswer {
  return {
    size,
    checkpoint,
    results: results.map((result) => (isPacked(result) ? unpackReceipt(result, checkpoint ?? '') : result)),
  };
}

function packResult(result: ChangeResult, checkpoint: string | null): PackedResult {
  const receipt = 'outcome' in result && result.outcome.committed ? result.outcome.receipt : null;
  if (!('outcome' in result) || !result.outcome.committed || receipt?.checkpoint !== checkpoint) return result;
  const { index, entry, inclusion, consistency } = receipt;
  const { from, path } = consistency ?? { from: -1, path: [] };
  return [index, result.outcome.time, entry, inclusion.join(' '), from, path.join(' ')];
}

function unpackReceipt([index, time, entry, inclusion, from, path]: PackedReceipt, checkpoint: string): ChangeResult {
  const receipt: Receipt = { index, entry, inclusion: hashes(inclusion), checkpoint };
  const proven = from < 0 ? receipt : { ...receipt, consistency: { from, path: hashes(path) } };
  return { outcome: { committed: true, index, time, receipt: proven } };
}

function hashes(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}

function isPacked(result: PackedResult): result is PackedReceipt {
  return Array.isArray(result);
}
