import { readdir, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const SRC = resolve(import.meta.dirname, '../../src');

async function importsOf(file: string): Promise<string[]> {
  const source = await readFile(file, 'utf8');
  const statements = source.matchAll(/^(?:import |export |\})(?:[^'\n]* from |[^\w'\n]*)'([^']+)';$/gm);
  const calls = source.matchAll(/\bimport\(\s*'([^']+)'/g);
  return [...statements, ...calls].map(([, specifier]) => specifier!);
}

test('whatever the package reaches is a node built-in or lies in client, core, audit or sealed', async () => {
  const files = (await readdir(join(SRC, 'client'), { recursive: true })).filter((name) => name.endsWith('.ts'));
  const waiting = files.map((name) => join(SRC, 'client', name));
  const reached = new Set<string>();
  const foreign: string[] = [];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const specifier of await importsOf(file)) {
      if (specifier.startsWith('.')) waiting.push(resolve(dirname(file), specifier));
      else if (!isBuiltin(specifier) || !specifier.startsWith('node:')) foreign.push(specifier);
    }
  }
  const rooms = new Set([...reached].map((file) => relative(SRC, file).split('/')[0]));
  expect(foreign).toEqual([]);
  expect(rooms).toEqual(new Set(['audit', 'client', 'core', 'sealed']));
});

test('the package declares no dependency of any kind', async () => {
  const text = await readFile(join(SRC, 'client/package.json'), 'utf8');
  const manifest = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  expect(manifest['name']).toBe('@keyturn/client');
  expect(Object.keys(manifest).filter((member) => /dependencies|scripts/i.test(member))).toEqual([]);
});
