import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './installed.ts';

export interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** The instructions of our Dockerfile, by stage; it has no line continuations. */
export function stages(): Instruction[][] {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').split('\n');
  const instructions = lines.flatMap((line) => {
    const [, name, value] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [{ name, value }];
  });
  const found: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') found.push([]);
    found.at(-1)?.push(instruction);
  }
  return found;
}

/** The last stage's value of an instruction in JSON form. */
export function jsonOf(name: string): string[] {
  const value = stages()
    .at(-1)
    ?.findLast((instruction) => instruction.name === name)?.value;
  return JSON.parse(value ?? '[]') as string[];
}
