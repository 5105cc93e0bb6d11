import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { inspectTree } from './inspect.ts';
import { ROOMS } from './rooms.ts';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

function breachesOf(files: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'keyturn-structure-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return inspectTree(root, ROOMS);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('the source tree keeps its directions, sizes and limits', () => {
  expect(inspectTree(SRC, ROOMS)).toEqual([]);
});

test('every package of a room is a dependency, and every dependency but the packaged Nodes has a room', () => {
  const used = new Set(Object.values(ROOMS).flatMap((room) => room.packages));
  expect([...used].sort()).toEqual(Object.keys(manifest.dependencies).sort());
});

test('imports that go the right way are let through', () => {
  const files = {
    'core/errors.ts': "export const a = 'import x from \"express\"'; // import 'express'\n",
    'audit/entry.ts': "import type { a } from '../core/errors.ts';\n",
    'client/agent.ts': "import { Agent } from 'node:https';\nexport { a } from '../audit/entry.ts';\n",
    'server/app.ts': "import express, {\n  type Router,\n} from 'express';\nimport type { Server } from 'node:http';\n",
    'server/schemas.ts': "import type { A } from '../client/agent.ts';\nexport type { B } from '../client/agent.ts';\n",
    'cli/serve.ts':
      "import type { start } from '../compose.ts';\nexport const run = async () => (await import('../compose.ts')).start();\n",
    'compose.ts': "import './server/app.ts';\n",
    'ledger/sqlite/open.ts': "export const file = new URL('./writer.ts', import.meta.url);\n",
    'ledger/sqlite/writer.ts': "import { file } from './open.ts';\n",
  };
  expect(breachesOf(files)).toEqual([]);
});

test.each([
  ['a room to the right', 'core/a.ts', "import { b } from '../ledger/b.ts';"],
  ['a type from the right', 'ledger/a.ts', "import type { B } from '../credential/b.ts';"],
  ['an inline type import', 'ledger/a.ts', "export type B = import('../credential/b.ts').B;"],
  ['a re-export from the right', 'audit/a.ts', "export * from '../server/b.ts';"],
  ['an import over several lines', 'core/a.ts', "import {\n  b,\n  c,\n} from '../x509/b.ts';"],
  ['a bare import', 'core/a.ts', "const x = 1;\nimport '../x509/b.ts';"],
  ['a sister room', 'keystore/a.ts', "import { b } from '../tls/b.ts';"],
  ['a dynamic import', 'credential/a.ts', "const b = await import('../server/b.ts');"],
  ['a worker of another room', 'keystore/a.ts', "new Worker(new URL('../ledger/b.ts', import.meta.url));"],
  ['the server side from the client', 'client/a.ts', "import { b } from '../x509/b.ts';"],
  ['a package in the client', 'client/a.ts', "import axios from 'axios';"],
  ['a package in core', 'core/a.ts', "import { z } from 'zod';"],
  ['a built-in without its prefix', 'core/a.ts', "import { readFile } from 'fs';"],
  ['the built-in that loads Undici', 'server/a.ts', "import { type Server, request } from 'node:http';"],
  ['express outside the server', 'credential/a.ts', "import type { Request } from 'express';"],
  ['a deep path of a package', 'server/a.ts', "import x from 'kysely/helpers/sqlite';"],
  ['a forge outside x509', 'tls/a.ts', "import forge from 'node-forge';"],
  ['more than types of the client from the server', 'server/a.ts', "import { type A, b } from '../client/b.ts';"],
  ['the ledger by the CLI', 'cli/a.ts', "import { b } from '../ledger/b.ts';"],
  ['the CLI from elsewhere', 'compose.ts', "import { b } from './cli/b.ts';"],
  ['an unknown room', 'helpers/a.ts', 'export {};'],
  ['a file outside the tree', 'core/a.ts', "import { b } from '../../test/b.ts';"],
  ['a computed import', 'server/a.ts', 'const b = await import(name);'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the planted source holds the placeholder
  ['a templated import', 'server/a.ts', 'const b = await import(`./${name}.ts`);'],
  ['CommonJS', 'server/a.ts', "const b = createRequire(import.meta.url)('b');"],
  ['any', 'server/a.ts', 'export const b: any = 1;'],
  ['a cast to any', 'server/a.ts', 'export const b = c as any;'],
  ['251 lines of code', 'core/a.ts', 'f();\n'.repeat(251)],
])('%s is caught', (_, path, text) => {
  expect(breachesOf({ [path]: `${text}\n` })).toHaveLength(1);
});

test('a circle between files is caught, through types too', () => {
  const breaches = breachesOf({
    'core/a.ts': "import { b } from './b.ts';\n",
    'core/b.ts': "import type { C } from './c.ts';\n",
    'core/c.ts': "import { a } from './a.ts';\n",
  });
  expect(breaches).toEqual([
    'These files import one another in a circle: core/a.ts → core/b.ts → core/c.ts → core/a.ts.',
  ]);
});

test('comments and blank lines are no code, and the eleventh file of a folder is one too many', () => {
  expect(breachesOf({ 'core/a.ts': `/**\n${' * any: any\n'.repeat(300)} */\n// x: any\n\n` })).toEqual([]);
  const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`core/${i}.ts`, 'export {};\n']));
  expect(breachesOf(eleven)).toEqual(['core/ has 11 files; 10 are allowed.']);
});
