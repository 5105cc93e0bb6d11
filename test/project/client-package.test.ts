import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { buildClient } from '../../scripts/build.mjs';

/** Prints what was loaded and what came out: an application that has the package and nothing else. */
const APPLICATION = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ resolve(specifier, context, next) {
    const found = next(specifier, context);
    loaded.push(found.url);
    return found;
  } });
  const client = await import('@keyturn/client');
  console.log(JSON.stringify({ loaded, names: Object.keys(client) }));
`;

let bare: string;
let installed: string;

beforeAll(() => {
  bare = mkdtempSync(join(tmpdir(), 'keyturn-client-'));
  const built = join(bare, 'built');
  buildClient(built);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', bare], { cwd: built, env: quietNpm(bare) });
  installed = join(bare, 'node_modules', '@keyturn', 'client');
  mkdirSync(installed, { recursive: true });
  const [tarball] = globSync('*.tgz', { cwd: bare });
  execFileSync('tar', ['-xzf', join(bare, tarball ?? ''), '-C', installed, '--strip-components=1']);
  rmSync(built, { recursive: true });
});

afterAll(() => rmSync(bare, { recursive: true }));

/** An npm with a cache and home of its own, so that the test neither reads nor leaves anything elsewhere. */
function quietNpm(home: string): NodeJS.ProcessEnv {
  return { ...process.env, HOME: home, npm_config_cache: join(home, '.npm'), npm_config_update_notifier: 'false' };
}

test('the package holds JavaScript, types, licence and readme of the client and what it stands on, and nothing else', () => {
  const files = globSync('**/*.*', { cwd: installed }).map((path) => path.replaceAll('\\', '/'));
  const expected = /^(?:package\.json|README\.md|(?:client|core|audit|sealed)\/[\w/-]+\.(?:js|d\.ts))$/;
  expect(files.filter((path) => !expected.test(path))).toEqual([]);
  expect(globSync('{LICENSE,README.md}', { cwd: installed }).sort()).toEqual(['LICENSE', 'README.md']);
  for (const path of ['client/index.js', 'client/index.d.ts']) expect(files).toContain(path);
});

test('its manifest names no dependency and no script, and carries our version', () => {
  const own = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect(own).toMatchObject({
    name: '@keyturn/client',
    version: manifest.version,
    type: 'module',
    license: 'Apache-2.0',
  });
  for (const key of ['dependencies', 'peerDependencies', 'optionalDependencies', 'scripts', 'bundleDependencies']) {
    expect(own).not.toHaveProperty(key);
  }
});

test('in a folder with nothing else it loads, and pulls in nothing but itself and node built-ins', () => {
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', APPLICATION], {
    cwd: bare,
    encoding: 'utf8',
  });
  const { loaded, names } = JSON.parse(printed) as { loaded: string[]; names: string[] };
  expect(names).toContain('connect');
  expect(loaded.length).toBeGreaterThan(1);
  const foreign = loaded.filter((url) => !url.startsWith('node:') && !url.includes('/node_modules/@keyturn/client/'));
  expect(foreign).toEqual([]);
});

test('CommonJS loads it as well, and compilers that read no "exports" find its types', () => {
  const print = 'console.log(typeof require("@keyturn/client").connect)';
  const printed = execFileSync(process.execPath, ['--input-type=commonjs', '-e', print], {
    cwd: bare,
    encoding: 'utf8',
  });
  expect(printed).toBe('function\n');
  const { main, types, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect({ types, default: main }).toEqual(exports['.']);
});

test('no import left in it ends in .ts or names a package', () => {
  for (const path of globSync('**/*.{js,d.ts}', { cwd: installed })) {
    const text = readFileSync(join(installed, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
    for (const [, specifier] of text.matchAll(/\b(?:from\s+|import\s*\(?\s*)['"]([^'"]+)['"]/g)) {
      const fits = isBuiltin(specifier ?? '') || /^\.{1,2}\/[\w/.-]+\.js$/.test(specifier ?? '');
      expect(fits, `${path} imports ${specifier}`).toBe(true);
    }
  }
});
