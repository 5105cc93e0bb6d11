import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const SERVE = join(import.meta.dirname, '..', '..', 'src', 'compose', 'serve.ts');

/** Packages that are loaded with what every server loads. */
async function loadedPackages(): Promise<Set<string>> {
  const script = `await import(${JSON.stringify(SERVE)});
    const { Module } = await import('node:module');
    console.log(JSON.stringify(Object.keys(Module._cache)));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  const paths = JSON.parse(stdout) as string[];
  return new Set(paths.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
}

test('a server loads what only some need when they need it, since memory is taken for good', async () => {
  const loaded = await loadedPackages();
  expect(loaded).toContain('express');
  for (const seldom of ['pg', 'node-vault', 'node-forge', 'nodemailer']) expect(loaded).not.toContain(seldom);
});
