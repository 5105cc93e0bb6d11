import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../../core/errors.ts';
import { whyFile } from '../../core/io/why-file.ts';

/**
 * A file that is made before what goes into it is asked for: when it can't be, nothing has happened yet. Removed when
 * it is disposed of without having been kept.
 */
export class NewFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #kept = false;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** @throws KeyturnError as {@link openNew}. */
  static async make(path: string, mode: number): Promise<NewFile> {
    return new NewFile(path, await openNew(path, mode));
  }

  /** Appends; for what comes in pieces. @throws KeyturnError `invalid_input`. */
  async write(piece: Buffer): Promise<void> {
    await this.#handle.writeFile(piece).catch((error: unknown) => notWritten(this.path, error));
  }

  /** Writes the rest, if any; the file stays. @throws KeyturnError `invalid_input`; then it does not. */
  async keep(rest: string | Buffer = Buffer.alloc(0)): Promise<void> {
    try {
      await this.#handle.writeFile(rest);
      await this.#handle.sync();
    } catch (error) {
      notWritten(this.path, error);
    }
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    if (!this.#kept) await rm(this.path, { force: true });
  }
}

/** @throws KeyturnError `conflict` when there is such a file, `not_found` (no such folder), `invalid_input`. */
export async function openNew(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST') throw taken(path);
    if (code === 'ENOENT') {
      const folder = dirname(path);
      throw new KeyturnError('not_found', `There is no folder ${folder}.`, { fix: `Make it: mkdir -m 700 ${folder}` });
    }
    throw new KeyturnError('invalid_input', `${path} can't be made${whyFile(error)}.`, {
      fix: 'Choose a place where you may write; nothing was done.',
    });
  }
}

/** @throws KeyturnError `invalid_input`. */
export function notWritten(path: string, error: unknown): never {
  throw new KeyturnError('invalid_input', `${path} can't be written${whyFile(error)}.`, {
    fix: 'Make room, or choose another place; nothing of it was left there.',
  });
}

export function taken(path: string): KeyturnError {
  return new KeyturnError('conflict', `There is already a file ${path}.`, {
    fix: 'Choose another file name; nothing was overwritten.',
  });
}
