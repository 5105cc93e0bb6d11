import { styleText } from 'node:util';

/** Prints the story: a heading a step, what was run, what came out of it. */
export class Narrator {
  #step = 0;
  readonly #started = performance.now();

  step(title: string): void {
    this.#step += 1;
    process.stdout.write(`\n${styleText('bold', `${this.#step}. ${title}`)}\n`);
  }

  command(line: string): void {
    process.stdout.write(`   ${styleText('cyan', `$ ${line}`)}\n`);
  }

  output(text: string, most = 12): void {
    const lines = text.trimEnd().split('\n');
    for (const line of lines.slice(0, most)) process.stdout.write(`     ${line.slice(0, 160)}\n`);
    if (lines.length > most) process.stdout.write(`     … ${lines.length - most} more lines\n`);
  }

  say(text: string): void {
    process.stdout.write(`   ${text}\n`);
  }

  /** Something that must hold for the story to be true; the quickstart fails when it does not. */
  check(holds: boolean, what: string): void {
    if (!holds) throw new Error(`The story does not hold: ${what}`);
    process.stdout.write(`   ${styleText('green', '✔')} ${what}\n`);
  }

  get seconds(): number {
    return Math.round((performance.now() - this.#started) / 1000);
  }
}
