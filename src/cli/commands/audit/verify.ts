import { createReadStream } from 'node:fs';
import { LogVerifier } from '../../../audit/checkpoint.ts';
import { readLines } from '../../../audit/export.ts';
import { MAX_NOTE_BYTES } from '../../../audit/note.ts';
import { type Report, verifyExport } from '../../../audit/verify.ts';
import { readConnection } from '../../../client/connection-file.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { readAtMost } from '../../../core/io/read-at-most.ts';
import { pathsOf } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';

interface Options {
  readonly key?: string[];
  readonly since?: string[];
}

/** Exit code 0: intact; 1: not; 10: intact, and older entries were lost at a restore. Reads nothing but files; no server is asked. */
export default async function auditVerify(context: Context, options: Options, path: string): Promise<number> {
  const { terminal } = context;
  const { key: keys } = options;
  const verifier =
    keys === undefined
      ? await verifierOfConnection(context)
      : new LogVerifier({ origin: originOf(keys[0] ?? ''), keys });
  const since = await Promise.all((options.since ?? []).map(readCheckpoint));
  const chunks = createReadStream(path);
  const report = await verifyExport(readLines(unreadable(chunks, path)), verifier, { since });
  terminal.result(printable(report), lines(report, since.length));
  for (const { generation, from, to } of report.lost) {
    terminal.warn(`Lost at a restore: the entries ${from} to ${to - 1} of generation ${generation} are gone.`);
  }
  if (!report.intact) return EXIT.failure;
  return report.lost.length === 0 ? 0 : EXIT.attention;
}

/** The root in base64, as the checkpoint has it. */
function printable(report: Report) {
  const { head } = report;
  return { ...report, head: head === null ? null : { ...head, root: head.root.toString('base64') } };
}

async function* unreadable(chunks: AsyncIterable<Buffer>, path: string): AsyncIterable<Buffer> {
  try {
    yield* chunks;
  } catch {
    throw new KeyturnError('invalid_input', `${path} can't be read.`, { fix: 'Check the path.' });
  }
}

async function verifierOfConnection({ where }: Context): Promise<LogVerifier> {
  try {
    return (await readConnection(pathsOf(where).connectionPath)).log;
  } catch {
    throw new KeyturnError('invalid_input', 'No public key to verify with.', {
      fix: 'Give --key with the log key that keyturn init printed, or --connection with a connection file.',
    });
  }
}

/** A vkey is `<name>+<key id>+<key>`, and a log's key bears its origin as name. */
function originOf(vkey: string): string {
  return vkey.split('+')[0] ?? '';
}

async function readCheckpoint(path: string): Promise<string> {
  const octets = await readAtMost(path, MAX_NOTE_BYTES).catch(() => null);
  if (octets !== null) return octets.toString('utf8');
  throw new KeyturnError('invalid_input', `The checkpoint ${path} can't be read, or is too large for one.`, {
    fix: 'Check the path.',
  });
}

function lines(report: Report, outside: number): string[] {
  if (report.intact) {
    return [
      `Intact: ${report.entries} entries, ${report.checkpoints} signed checkpoints, ${outside} outside.`,
      ...report.generations.map(
        ({ generation, base, time }) =>
          `Restored: generation ${generation} goes on from ${base} entries, since ${time}.`,
      ),
      ...(outside === 0 ? ['Without --since a cut by whoever holds the log key would not show.'] : []),
    ];
  }
  const { findings, more } = report;
  return [
    `NOT INTACT: ${findings.length + more} findings in ${report.entries} entries.`,
    ...findings.map(({ kind, message }) => `  ${kind}: ${message}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
