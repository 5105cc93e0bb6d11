import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../../core/io/sync-folder.ts';
import { notWritten, openNew, taken } from './new-file.ts';

/** What a file system says that has no second names. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * A large new file, mode 0600, that has its name once it is whole and durable. Until then it is `<name>.part-<16 hex
 * digits>` beside it: what a killed command leaves never passes for what it was to become.
 */
export class WholeFile implements AsyncDisposable {
  readonly path: string;
  readonly #part: string;
  readonly #handle: FileHandle;

  private constructor(path: string, part: string, handle: FileHandle) {
    this.path = path;
    this.#part = part;
    this.#handle = handle;
  }

  /** @throws KeyturnError as {@link openNew}, `conflict` also for a link of that name. */
  static async make(path: string): Promise<WholeFile> {
    await requireFree(path);
    const part = `${path}.part-${randomBytes(8).toString('hex')}`;
    return new WholeFile(path, part, await openNew(part, 0o600));
  }

  /** @throws KeyturnError `invalid_input`. */
  async write(piece: Buffer): Promise<void> {
    await this.#handle.writeFile(piece).catch((error: unknown) => notWritten(this.path, error));
  }

  /** Removes what killed commands left of the same file. For whoever knows that no other one writes it now. */
  async sweep(): Promise<void> {
    const folder = dirname(this.path);
    const prefix = `${basename(this.path)}.part-`;
    for (const name of await readdir(folder)) {
      const left = name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(name.slice(prefix.length));
      if (left && name !== basename(this.#part)) await rm(join(folder, name), { force: true });
    }
  }

  /** Gives it its name. @throws KeyturnError `conflict` when that was taken meanwhile. */
  async keep(): Promise<void> {
    await this.#handle.sync().catch((error: unknown) => notWritten(this.path, error));
    await this.#name();
    await syncFolder(dirname(this.path));
  }

  /** A second name never takes the place of a file, where a new one for the first would. */
  async #name(): Promise<void> {
    try {
      await link(this.#part, this.path);
      await rm(this.#part);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw taken(this.path);
      if (!NO_LINKS.includes(code)) throw error;
      await requireFree(this.path);
      await rename(this.#part, this.path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#part, { force: true });
  }
}

async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found !== null) throw taken(path);
}
