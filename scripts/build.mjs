/**
 * Makes the JavaScript that is installed: dist/server, the whole of src/, and dist/client, the package
 * `@keyturn/client` with src/client and what that imports. `node scripts/build.mjs [server|client]`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @param {string} out folder; emptied first */
export function buildServer(out) {
  rmSync(out, { recursive: true, force: true });
  compile(join(ROOT, 'tsconfig.build.json'), out);
  for (const asset of globSync('src/**/*', { cwd: ROOT, withFileTypes: true })) {
    if (!asset.isFile() || asset.name.endsWith('.ts')) continue;
    const path = join(asset.parentPath, asset.name);
    cpSync(path, join(out, relative(join(ROOT, 'src'), path)));
  }
}

/** @param {string} out folder; emptied first */
export function buildClient(out) {
  rmSync(out, { recursive: true, force: true });
  const config = join(ROOT, '.cache', 'tsconfig.client.json');
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.build.json', include: ['../src/client'] }));
  compile(config, out);
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(clientManifest(), null, 2)}\n`);
  cpSync(join(ROOT, 'LICENSE'), join(out, 'LICENSE'));
  cpSync(join(ROOT, 'src/client/README.md'), join(out, 'README.md'));
}

/**
 * @param {string} config
 * @param {string} out
 */
function compile(config, out) {
  const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config, '--outDir', out];
  args.push('--rootDir', join(ROOT, 'src'));
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsc failed:\n${stdout}`);
  for (const file of globSync('**/*.{js,d.ts}', { cwd: out })) pointToJavaScript(join(out, file));
}

/**
 * What tsc leaves pointing at sources: the URLs of workers, new URL('./writer.ts', import.meta.url), and the imports of
 * declarations.
 * @param {string} path
 */
function pointToJavaScript(path) {
  const text = readFileSync(path, 'utf8');
  const pointed = text.replace(/((?:new URL|import)\(\s*|\bfrom )(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2');
  if (pointed !== text) writeFileSync(path, pointed);
}

/** The manifest that stands beside the source (name, description, …) with what only the build knows. */
function clientManifest() {
  const read = (/** @type {string} */ path) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
  const own = existsSync(join(ROOT, 'src/client/package.json')) ? read('src/client/package.json') : {};
  const { version, license, engines } = read('package.json');
  const entry = { types: './client/index.d.ts', default: './client/index.js' };
  return {
    name: '@keyturn/client',
    description: 'Borrow mutual-TLS credentials from Keyturn, in memory, without a key file',
    engines,
    ...own,
    private: undefined,
    version,
    license,
    type: 'module',
    sideEffects: false,
    exports: { '.': entry, './package.json': './package.json' },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const what = process.argv[2] ?? 'all';
  if (what !== 'client') buildServer(join(ROOT, 'dist/server'));
  if (what !== 'server') buildClient(join(ROOT, 'dist/client'));
}
