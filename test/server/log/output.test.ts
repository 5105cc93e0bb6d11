import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogOutput } from '../../../src/server/log/output.ts';

let folder: string;
let fd: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-log-'));
  fd = openSync(join(folder, 'log'), 'a', 0o600);
});
afterEach(async () => {
  closeSync(fd);
  await rm(folder, { recursive: true });
});

const read = () => readFile(join(folder, 'log'), 'utf8');
const lost = (lines: number) => `${lines} lost\n`;

test('gathers lines for a while, or until there are enough, and writes them in their order', async () => {
  const output = new LogOutput(lost, fd);
  output.write('ä\n');
  expect(await read()).toBe('');
  await expect.poll(read).toBe('ä\n');
  const long = `${'x'.repeat(9_000)}\n`;
  output.write(long);
  expect(await read()).toBe(`ä\n${long}`);
  output.write('last\n');
  output.flush();
  expect(await read()).toBe(`ä\n${long}last\n`);
  await pause(300);
  expect(await read()).toBe(`ä\n${long}last\n`);
});

test('whatever goes wrong with the file harms nobody, and how many lines are missing is told once it goes well', async () => {
  closeSync(fd);
  const output = new LogOutput(lost, fd);
  for (let line = 0; line < 100; line += 1) output.write(`${'x'.repeat(999)}\n`);
  output.end();
  fd = openSync(join(folder, 'log'), 'a');
  output.write('well again\n');
  output.flush();
  expect(await read()).toBe('well again\n100 lost\n');
});
