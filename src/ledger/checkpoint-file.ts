import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Checkpoint, LogVerifier } from '../audit/checkpoint.ts';
import { MAX_NOTE_BYTES } from '../audit/note.ts';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { readAtMost } from '../core/io/read-at-most.ts';
import { syncFolder } from '../core/io/sync-folder.ts';
import type { Ledger } from './ledger.ts';

export interface CheckpointFileOptions {
  /** Outside the ledger's folder, best on another machine's disk: whoever rolls the ledger back should not reach it. */
  readonly path: string;
  readonly verifier: LogVerifier;
  /**
   * Start although the file says that the ledger was rolled back, and overwrite it. Only after the loss was looked
   * into: clients that saw the lost entries will still raise an alarm. Default false.
   */
  readonly acceptRollback?: boolean;
  /** Between two writes, milliseconds. Default 250. */
  readonly pauseMs?: number;
  /** A write failed; releases go on. The next checkpoint is tried anew, with a new descriptor. */
  readonly onFailure?: (error: KeyturnError) => void;
}

/** Each write syncs a file and a folder, which would hold up the ledger's own syncs of the same disk. */
const PAUSE_MS = 250;

/** Origin, size and root stand first in a checkpoint, whoever signed it; an empty file holds nothing that could be lost. */
const CHECKPOINT = /^(?:\s*$|[^\n]+\n[0-9]{1,16}\n[A-Za-z0-9+/]{43}=\n)/;

type Signed = { readonly note: string; readonly size: number };

/**
 * The newest checkpoint in a file outside. One write at a time, the newest of what came meanwhile next; nothing ever
 * waits for it, and a larger checkpoint is never replaced by a smaller one.
 */
export class CheckpointFile {
  readonly #options: CheckpointFileOptions;
  #started = false;
  /** Size of the checkpoint in the file; -1 for none. */
  #written = -1;
  #next: Signed | null = null;
  #writing: Promise<void> | null = null;
  /** How many wait for what is to be written now. */
  #waiting = 0;
  #endPause: (() => void) | null = null;

  constructor(options: CheckpointFileOptions) {
    this.#options = options;
  }

  /**
   * Compares the file with the ledger, once, before anything is released; then writes the ledger's head.
   * @returns what was found: `missing` when there was no file, `accepted` when a rollback was let through.
   * @throws KeyturnError `ledger_corrupt` when the file is ahead of the ledger, contradicts it, or is not of its log;
   * `config_invalid` when it is no checkpoint at all, whatever is accepted.
   */
  async start(ledger: Pick<Ledger, 'head' | 'checkpoints'>): Promise<'continued' | 'missing' | 'accepted'> {
    const found = await this.#compare(ledger);
    this.#started = true;
    const { size, checkpoint } = await ledger.head();
    this.offer(checkpoint, size);
    await this.settled();
    return found;
  }

  async #compare(ledger: Pick<Ledger, 'head' | 'checkpoints'>): Promise<'continued' | 'missing' | 'accepted'> {
    const outside = await this.#read();
    if (outside === null) return 'missing';
    try {
      const checkpoint = this.#verified(outside);
      await assertContinues(ledger, checkpoint, this.#options);
      this.#written = checkpoint.size;
      return 'continued';
    } catch (error) {
      if (this.#options.acceptRollback === true && isKeyturnError(error, 'ledger_corrupt')) return 'accepted';
      throw error;
    }
  }

  /** Returns at once. Before `start` the newest one is kept. */
  offer(note: string, size: number): void {
    if (size > Math.max(this.#written, this.#next?.size ?? -1)) this.#next = { note, size };
    if (this.#started && this.#next !== null) this.#writing ??= this.#writeAll();
  }

  /** Resolves when no write is under way; whether it worked, `onFailure` said. */
  async settled(): Promise<void> {
    this.#waiting += 1;
    this.#endPause?.();
    await this.#writing;
    this.#waiting -= 1;
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#next; next !== null; next = this.#next) {
      this.#next = null;
      try {
        await replaceFile(this.#options.path, next.note);
        this.#written = next.size;
      } catch (error) {
        this.#options.onFailure?.(notWritten(this.#options.path, error));
      }
      if (this.#waiting === 0) await this.#pause();
    }
    this.#writing = null;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#options.pauseMs ?? PAUSE_MS);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #read(): Promise<string | null> {
    try {
      // A pipe or a device, or longer than any checkpoint: it is none.
      const isFile = (await stat(this.#options.path)).isFile();
      const octets = isFile ? await readAtMost(this.#options.path, MAX_NOTE_BYTES) : null;
      // Whatever is accepted: what such a file holds would be lost.
      if (isFile && octets === null && this.#options.acceptRollback === true) throw notOverwritten(this.#options.path);
      return octets?.toString('utf8') ?? '';
    } catch (error) {
      if (isKeyturnError(error)) throw error;
      if (codeOf(error) === 'ENOENT') return null;
      throw new KeyturnError('ledger_unavailable', `The checkpoint outside cannot be read: ${codeOf(error)}.`, {
        fix: `Make ${this.#options.path} readable, or name another path.`,
      });
    }
  }

  #verified(note: string): Checkpoint {
    try {
      return this.#options.verifier.open(note);
    } catch (error) {
      if (!isKeyturnError(error)) throw error;
      if (!CHECKPOINT.test(note)) throw notOverwritten(this.#options.path);
      throw rolledBack(`${this.#options.path} is not a checkpoint of this log`);
    }
  }
}

/** Every checkpoint that ever went outside stands in the ledger, with the same root. */
async function assertContinues(
  ledger: Pick<Ledger, 'head' | 'checkpoints'>,
  outside: Checkpoint,
  { verifier, path }: CheckpointFileOptions,
): Promise<void> {
  const { size } = await ledger.head();
  if (outside.size > size) throw rolledBack(`${path} has seen ${outside.size} entries, the ledger has ${size}`);
  const [same] = await ledger.checkpoints(outside.size - 1, 1);
  if (same === undefined || same.size !== outside.size || !verifier.open(same.checkpoint).root.equals(outside.root)) {
    throw rolledBack(`the ledger's first ${outside.size} entries are not those that ${path} has seen`);
  }
}

/**
 * Whole and durable, or not at all. Others may write to that folder: what stands in the way of the new file is removed, a
 * symbolic link too, and never written through.
 */
async function replaceFile(path: string, note: string): Promise<void> {
  const made = `${path}.new`;
  const octets = Buffer.from(note, 'utf8');
  await rm(made, { force: true });
  const file = await open(made, 'wx', 0o644);
  try {
    const { bytesWritten } = await file.write(octets, 0, octets.length, 0);
    if (bytesWritten !== octets.length) throw new KeyturnError('ledger_unavailable', 'The disk is full.');
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(made, path);
  await syncFolder(dirname(path));
}

function rolledBack(what: string): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The ledger was rolled back or replaced: ${what}.`, {
    fix: 'Restore the newest ledger. If its loss is known and accepted: keyturn server --accept-rollback, once.',
  });
}

function notOverwritten(path: string): KeyturnError {
  return new KeyturnError('config_invalid', `${path} holds something else than a checkpoint, and is not overwritten.`, {
    fix: 'Correct checkpoint.path in keyturn.yaml; or, where that file is of no use, move it away.',
  });
}

function notWritten(path: string, error: unknown): KeyturnError {
  const why = isKeyturnError(error)
    ? 'the disk is full'
    : codeOf(error) === 'ENOENT'
      ? 'there is no such folder'
      : codeOf(error);
  return new KeyturnError('ledger_unavailable', `The checkpoint was not written to ${path}: ${why}.`, {
    fix: 'Look after the disk of that path; releases go on meanwhile.',
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
