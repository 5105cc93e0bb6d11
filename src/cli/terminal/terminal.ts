import { styleText } from 'node:util';
import { KeyturnError } from '../../core/errors.ts';
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
    else for (const line of lines) this.#out.write(`${line}\n`);
  }

  /** One raw line of output, in both modes (streams). */
  line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  /** Advice for people, beside the result. */
  note(text: string): void {
    if (!this.json) this.#err.write(`${text}\n`);
  }

  warn(text: string): void {
    this.#err.write(`${styleText('yellow', 'warning', { stream: this.#err as NodeJS.WriteStream })} ${text}\n`);
  }

  /** Prints an error as `what → fix`, most important line last, and gives the exit code. */
  fail(error: unknown): number {
    const known = error instanceof KeyturnError ? error : null;
    const code = known?.code ?? 'internal';
    const message = known?.message ?? 'An unexpected fault inside the command.';
    if (this.json) {
      const document = {
        error: { code, message, ...(known?.fix === undefined ? {} : { fix: known.fix }), facts: known?.facts ?? {} },
      };
      this.#err.write(`${JSON.stringify(document)}\n`);
    } else {
      this.#err.write(
        `${styleText('red', 'error', { stream: this.#err as NodeJS.WriteStream })} ${message} [${code}]\n`,
      );
      if (known?.fix !== undefined) this.#err.write(`  fix: ${known.fix}\n`);
      if (known === null && error instanceof Error) this.#err.write(`  ${error.name} ${firstFrame(error)}\n`);
    }
    return exitCodeOf(code);
  }
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
