import { writeSync } from 'node:fs';

/** Lines are written together once there are so many octets of them, or so many milliseconds after the first. */
const GATHERED_OCTETS = 8_192;
const GATHERED_MS = 250;
/** How soon it is tried again when whoever reads takes no more, milliseconds. */
const AGAIN_MS = 50;
/** At the end of the process, milliseconds. */
const END_WITHIN_MS = 500;
const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));
/** Octets that wait for a reader; what comes then is counted instead. */
const MOST_WAITING = 1_024 * 1_024;

/**
 * Lines on standard error, which never keep the process waiting: whoever reads them may have stopped, and a freeze must
 * come through all the same. What a reader does not take waits, within bounds.
 */
export class LogOutput {
  readonly #lost: (lines: number) => string;
  readonly #fd: number;
  #gathered = '';
  /** What was given out and not taken yet. */
  #waiting: Buffer = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #lostLines = 0;

  /** `lost` gives the line that says how many are missing. */
  constructor(lost: (lines: number) => string, fd = 2) {
    this.#lost = lost;
    this.#fd = fd;
  }

  /** Standard error, which writes the rest when the process ends. */
  static standardError(lost: (lines: number) => string): LogOutput {
    // To make this stream is what lets a pipe or socket say that it is full (EAGAIN), instead of waiting.
    void process.stderr;
    const output = new LogOutput(lost);
    process.once('exit', () => output.end());
    return output;
  }

  /** A whole line, with its line feed. */
  write(line: string): void {
    if (this.#gathered.length + this.#waiting.length > MOST_WAITING) {
      this.#lostLines += 1;
      return;
    }
    this.#gathered += line;
    if (this.#gathered.length < GATHERED_OCTETS) this.#later(GATHERED_MS);
    else if (this.#waiting.length === 0) this.flush();
  }

  /** Writes what there is, as far as it is taken at once. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#give(this.#gathered);
    this.#gathered = '';
    if (this.#waiting.length === 0 && this.#lostLines > 0) this.#tellLost();
    if (this.#waiting.length > 0) this.#later(AGAIN_MS);
  }

  #tellLost(): void {
    const before = this.#lostLines;
    this.#lostLines = 0;
    this.#give(this.#lost(before));
    // Not even that was taken.
    if (this.#lostLines > 0) this.#lostLines = before;
  }

  #give(text: string): void {
    const more = Buffer.from(text, 'utf8');
    const all = this.#waiting.length === 0 ? more : Buffer.concat([this.#waiting, more]);
    let at = 0;
    try {
      while (at < all.length) at += writeSync(this.#fd, all, at);
      this.#waiting = NOTHING;
    } catch (error) {
      const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
      this.#waiting = isFull ? all.subarray(at) : NOTHING;
      // A closed pipe, a full disk: what it was given is gone.
      if (!isFull) this.#lostLines += linesIn(all.subarray(at));
    }
  }

  /** Writes the rest, for the end of the process; gives up on a reader that takes nothing. */
  end(): void {
    const last = performance.now() + END_WITHIN_MS;
    this.flush();
    while (this.#waiting.length > 0 && performance.now() < last) {
      Atomics.wait(SLEEPER, 0, 0, 10);
      this.flush();
    }
  }

  #later(ms: number): void {
    this.#timer ??= setTimeout(() => this.flush(), ms).unref();
  }
}

function linesIn(octets: Buffer): number {
  let lines = 0;
  for (const octet of octets) if (octet === LINE_FEED) lines += 1;
  return lines;
}
