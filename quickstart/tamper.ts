import { readFile, writeFile } from 'node:fs/promises';

/** A copy of an export in which one byte of one entry's text is another. Returns the entry's index. */
export async function changeOneByte(from: string, to: string, kind: string): Promise<number> {
  const text = await readFile(from, 'utf8');
  const line = text.split('\n').find((each) => each.startsWith('entry ') && each.includes(`"kind":"${kind}"`)) ?? '';
  const changed = line.replace('"service:payments"', '"service:paymentz"');
  await writeFile(to, text.replace(line, changed));
  return Number(line.split(' ')[1]);
}

/**
 * A copy that ends at an earlier signed checkpoint, with an end line that fits: every signature in it is right. Only a
 * checkpoint that was kept elsewhere can tell.
 */
export async function cutTail(from: string, to: string): Promise<void> {
  const lines = (await readFile(from, 'utf8')).trimEnd().split('\n');
  const checkpoints = lines.flatMap((line, at) => (line.startsWith('checkpoint ') ? [at] : []));
  const last = checkpoints.at(-3) ?? 0;
  const kept = lines.slice(0, last + 1);
  const size = kept.filter((line) => line.startsWith('entry ')).length;
  await writeFile(to, `${[...kept, `end ${size}`].join('\n')}\n`);
}
