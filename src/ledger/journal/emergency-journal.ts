import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JsonObject } from '../../core/canonical-json.ts';
import { isKeyturnError, type KeyturnError } from '../../core/errors.ts';
import { openPreallocated, unusable, writeWhole } from './file.ts';
import { decodeSlot, encodeSlot, SLOT_BYTES } from './slot.ts';

const DEFAULT_SLOTS = 128;
const TIMEOUT_MS = 2000;

export interface JournalOptions {
  /** Records that fit before they must be replayed. Default 128, of 4 KiB each. */
  readonly slots?: number;
  /** Milliseconds after which a write that is not durable fails for good. Default 2000. */
  readonly timeoutMs?: number;
}

/**
 * Where a freeze is made durable while the ledger is not: a small preallocated file, on another disk than the
 * ledger's if there is one. A record takes a slot that is already allocated, so a full disk does not stop it.
 *
 * After a write or sync that failed or hung, every later call rejects with `journal_unavailable` until the process
 * starts anew: a second sync on the same descriptor can succeed without the first one's octets.
 */
export class EmergencyJournal {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #slots: number;
  readonly #timeoutMs: number;
  #used: number;
  #broken: KeyturnError | null = null;
  /** Calls follow one another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, file: FileHandle, used: number, options: Required<JournalOptions>) {
    this.#path = path;
    this.#file = file;
    this.#used = used;
    this.#slots = options.slots;
    this.#timeoutMs = options.timeoutMs;
  }

  /** @throws KeyturnError `journal_unavailable` for a file that others can use, of another size, or an error of the disk. */
  static async open(path: string, options: JournalOptions = {}): Promise<EmergencyJournal> {
    const slots = options.slots ?? DEFAULT_SLOTS;
    try {
      const file = await openPreallocated(path, slots * SLOT_BYTES);
      const used = (await readSlots(file, slots)).findLastIndex((slot) => slot.kind !== 'empty') + 1;
      return new EmergencyJournal(path, file, used, { slots, timeoutMs: options.timeoutMs ?? TIMEOUT_MS });
    } catch (error) {
      throw asUnavailable(error, path);
    }
  }

  /**
   * Durable when it resolves.
   * @throws KeyturnError `journal_unavailable` when it is full or its disk failed; `invalid_input` for a record over
   * 4056 octets of canonical JSON.
   */
  async append(record: JsonObject): Promise<void> {
    const slot = encodeSlot(record);
    await this.#inTurn(async () => {
      if (this.#used >= this.#slots) throw full(this.#path, this.#slots);
      const position = this.#used * SLOT_BYTES;
      // Taken even if the write fails: what stands there then is unknown.
      this.#used += 1;
      await this.#durably(async () => {
        await writeWhole(this.#file, slot, position, this.#path);
        await this.#file.datasync();
      });
    });
  }

  /** Whole records, oldest first. */
  records(): Promise<JsonObject[]> {
    return this.#inTurn(async () => {
      const slots = await readSlots(this.#file, this.#slots);
      return slots.flatMap((slot) => (slot.kind === 'record' ? [slot.record] : []));
    });
  }

  /** Numbers of the slots whose record is torn: its `append` never resolved, or the file was altered. */
  torn(): Promise<number[]> {
    return this.#inTurn(async () => {
      const slots = await readSlots(this.#file, this.#slots);
      return slots.flatMap((slot, number) => (slot.kind === 'torn' ? [number] : []));
    });
  }

  /** For after the replay: all slots are empty again, durably. Cut short by a crash, some records stay and come again. */
  async clear(): Promise<void> {
    await this.#inTurn(() =>
      this.#durably(async () => {
        await writeWhole(this.#file, Buffer.alloc(this.#used * SLOT_BYTES), 0, this.#path);
        await this.#file.datasync();
        this.#used = 0;
      }),
    );
  }

  /** Slots that are still free. */
  get free(): number {
    return this.#slots - this.#used;
  }

  async close(): Promise<void> {
    if (this.#broken !== null) return;
    await this.#inTurn(() => this.#file.close());
    this.#broken = unusable(this.#path, 'it is closed', 'Start the server again.');
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (this.#broken !== null) throw this.#broken;
      return step();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Fails for good when the disk fails, or does not answer in time. */
  async #durably(step: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = unusable(this.#path, `it was not durable after ${this.#timeoutMs} ms`, 'Look after its disk.');
      timer = setTimeout(() => reject(error), this.#timeoutMs);
    });
    try {
      await Promise.race([step(), late]);
    } catch (error) {
      this.#broken = asUnavailable(error, this.#path);
      throw this.#broken;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readSlots(file: FileHandle, slots: number) {
  const octets = Buffer.alloc(slots * SLOT_BYTES);
  let at = 0;
  while (at < octets.length) {
    const { bytesRead } = await file.read(octets, at, octets.length - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return Array.from({ length: slots }, (_, slot) =>
    decodeSlot(octets.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)),
  );
}

function full(path: string, slots: number): KeyturnError {
  return unusable(
    path,
    `all of its ${slots} slots are taken`,
    'Restart the server on a healthy ledger: it replays and empties them.',
  );
}

function asUnavailable(error: unknown, path: string): KeyturnError {
  if (isKeyturnError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const folder = dirname(path);
  if (code === 'ENOENT') return unusable(path, `there is no folder ${folder}`, `Make it: mkdir -m 700 ${folder}`);
  return unusable(path, `its disk said ${code}`, 'Look after its disk, then restart the server.');
}
