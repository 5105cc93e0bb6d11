import { styleText } from 'node:util';
import { KeyturnError } from '../../core/errors.ts';
import { refusedFile } from '../../core/io/why-file.ts';
import { exitCodeOf } from './exit.ts';

/** Where a command writes. People read lines on standard output; with `--json` it is one JSON document. */
export class Terminal {
  readonly json: boolean;
  readonly #out: NodeJS.WritableStream;
  readonly #err: NodeJS.WritableStream;

  constructor(options: { json: boolean; out?: NodeJS.WritableStream; err?: NodeJS.WritableStream }) {
    this.json = options.json;
    this.#out = options.out ?? process.stdout;
    this.#err = options.err ?? process.stderr;
  }

  /** The result: `document` for programs, `lines` for people. */
  result(document: unknown, lines: readonly string[]): void {
    if (this.json) this.#out.write(`${JSON.stringify(document, null, 2)}\n`);
    else for (const line of lines) this.line(line);
  }

  /** One raw line of output, in both modes (streams). */
  line(text: string): void {
    this.#out.write(`${printable(text)}\n`);
  }

  /** Advice for people, beside the result. */
  note(text: string): void {
    if (!this.json) this.#err.write(`${printable(text)}\n`);
  }

  /** What deserves attention, for people; a JSON result has a member of its own for it. */
  warn(text: string): void {
    if (this.json) return;
    const head = styleText('yellow', 'warning', { stream: this.#err as NodeJS.WriteStream });
    this.#err.write(`${head} ${printable(text)}\n`);
  }

  /** Prints an error as `what → fix`, most important line last, and gives the exit code. */
  fail(error: unknown): number {
    const known = error instanceof KeyturnError ? error : null;
    const code = known?.code ?? 'internal';
    // Of any other error nothing is told: it may quote what came in.
    const refused = known === null ? refusedFile(error) : null;
    const message =
      known?.message ??
      (refused === null ? 'An unexpected fault inside the command.' : `The system refused ${refused}.`);
    const fix = refused === null ? known?.fix : 'Look after that file or folder, then try again.';
    if (this.json) {
      const document = {
        error: { code, message, ...(fix === undefined ? {} : { fix }), facts: known?.facts ?? {} },
      };
      this.#err.write(`${JSON.stringify(document)}\n`);
    } else {
      const head = styleText('red', 'error', { stream: this.#err as NodeJS.WriteStream });
      this.#err.write(`${head} ${printable(message)} [${code}]\n`);
      if (fix !== undefined) this.#err.write(`  fix: ${printable(fix)}\n`);
      if (known === null && refused === null && error instanceof Error)
        this.#err.write(`  ${error.name} ${firstFrame(error)}\n`);
    }
    return exitCodeOf(code);
  }
}

/**
 * Text that may come from a certificate, a reason or a file name, made harmless for a terminal: control characters
 * (ESC begins commands) and those that reorder lines are shown as escapes. Line ends stay.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\n' ? character : `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}

function firstFrame(error: Error): string {
  return (
    (error.stack ?? '')
      .split('\n')
      .find((line) => /^\s+at /.test(line))
      ?.trim() ?? ''
  );
}

/** Rows as aligned columns with a head; empty rows give a sentence instead. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], empty: string): string[] {
  if (rows.length === 0) return [empty];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [format(head.map((title) => title.toUpperCase())), ...rows.map(format)];
}

/** Names and values as two columns. */
export function facts(pairs: readonly (readonly [string, string | number | null])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value ?? '-'}`);
}
