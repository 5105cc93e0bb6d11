import { KeyturnError } from '../../../core/errors.ts';
import { brokenOff } from '../../api/answer.ts';
import type { Context } from '../../context.ts';
import { facts } from '../../terminal/terminal.ts';
import { WholeFile } from '../../terminal/whole-file.ts';

interface Options {
  readonly to?: string;
  readonly recipient?: string;
}

/** Copying a large ledger takes a while before the first octet comes, milliseconds. */
const PATIENCE_MS = 1_800_000;

export default async function backupTake({ terminal, api }: Context, options: Options): Promise<void> {
  const { to, recipient } = options;
  if (to === undefined || recipient === undefined) {
    throw new KeyturnError('invalid_input', 'A backup needs a file and a recipient.', {
      fix: 'Give --to FILE and --recipient ktbackup_…, as keyturn backup keygen printed it.',
    });
  }
  const open = await api();
  await using file = await WholeFile.make(to);
  const call = { method: 'POST', path: '/v1/backups', json: { recipient }, timeoutMs: PATIENCE_MS } as const;
  const answer = await open.stream(call);
  const told = JSON.parse(String(answer.headers['keyturn-backup'] ?? '{}')) as { octets?: number; size?: number };
  // A server sends one backup at a time.
  await file.sweep();
  const octets = await copy(answer, file);
  if (octets !== told.octets) throw brokenOff();
  await file.keep();
  const { stores: _, ...plain } = { ...told, stores: null };
  terminal.result({ file: to, ...told }, [`Wrote ${to} (${octets} bytes).`, ...facts(Object.entries(plain))]);
  terminal.note('Keep it on another machine, apart from the master key; the identity that opens it stays offline.');
}

async function copy(answer: AsyncIterable<Buffer>, file: WholeFile): Promise<number> {
  const pieces = answer[Symbol.asyncIterator]();
  let octets = 0;
  for (;;) {
    const next = await pieces.next().catch(() => Promise.reject(brokenOff()));
    if (next.done === true) return octets;
    await file.write(next.value);
    octets += next.value.length;
  }
}
