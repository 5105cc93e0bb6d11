import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../fakes/programs.ts';
import { ROOT } from './installed.ts';

/** As systemd-analyze(1) counts: 10 is the whole machine, 0 nothing. Tenths. */
const MOST_EXPOSURE = 15;

let folder: string;
let unit: string;

/** The unit as shipped, but for Node, which is elsewhere here. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-unit-'));
  unit = await readFile(join(ROOT, 'deploy/systemd/keyturn.service'), 'utf8');
});

afterAll(() => rm(folder, { recursive: true }));

async function analyse(args: readonly string[], text: string) {
  const path = join(folder, 'keyturn.service');
  await writeFile(path, text.replace('/usr/bin/node', process.execPath));
  return run('systemd-analyze', [...args, path]);
}

test('systemd understands every line of the unit', async () => {
  expect(await analyse(['verify'], unit)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  const odd = await analyse(['verify'], unit.replace('ProtectSystem=strict', 'ProtectSystem=stricter'));
  expect(odd.stderr).toContain('stricter');
});

test('the unit exposes little, and would expose more without its lines', async () => {
  const security = ['security', '--no-pager', '--offline=true', `--threshold=${MOST_EXPOSURE}`];
  expect(await analyse(security, unit)).toMatchObject({ exitCode: 0 });
  const without = (line: string) => unit.replace(`\n${line}\n`, '\n');
  for (const line of ['CapabilityBoundingSet=', 'User=keyturn', 'SystemCallFilter=@system-service']) {
    expect(without(line), line).not.toBe(unit);
    expect(await analyse(security, without(line)), line).toMatchObject({ exitCode: 1 });
  }
});

test('systemd waits longer than the server takes to stop, and then ends it the hard way', async () => {
  const server = await readFile(join(ROOT, 'src/cli/commands/instance/server.ts'), 'utf8');
  const longest = Number(/STOP_WITHIN_MS = ([\d_]+)/.exec(server)?.[1]?.replaceAll('_', '')) / 1000;
  const patience = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  expect(patience).toBeGreaterThan(longest);
  expect(unit).toMatch(/^SendSIGKILL=yes$/m);
});

test('neither a dump nor swap gets what is in memory, and V8 keeps its compiler', () => {
  for (const line of ['LimitCORE=0', 'MemorySwapMax=0', 'MemoryDenyWriteExecute=no']) {
    expect(unit.split('\n')).toContain(line);
  }
});
