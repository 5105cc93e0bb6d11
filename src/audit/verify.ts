import type { CheckpointOpener } from './checkpoint.ts';
import type { Report } from './verify/findings.ts';
import { ExportJudge } from './verify/judge.ts';

export type { Finding, FindingKind, LostRange, Range, Report, StartedGeneration } from './verify/findings.ts';

export interface VerifyOptions {
  /**
   * Checkpoints (note texts) that were kept outside the log. They alone show that whoever holds the log key has cut
   * or rewritten it.
   */
  readonly since?: readonly string[];
}

/**
 * Judges an export (attacker-controlled) with nothing but the log's public keys; `lines` come without line feeds, as
 * from `readLines`. Every fault of the export is a finding, never an error. Memory does not grow with the log.
 * @throws KeyturnError `audit_invalid` when a checkpoint given as `since` is not one of this log.
 */
export async function verifyExport(
  lines: AsyncIterable<string>,
  verifier: CheckpointOpener,
  options: VerifyOptions = {},
): Promise<Report> {
  const judge = ExportJudge.start(verifier, options.since ?? []);
  for await (const line of lines) judge.line(line);
  return judge.finish();
}
