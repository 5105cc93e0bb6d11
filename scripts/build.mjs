/**
 * Makes what is installed, two npm packages of JavaScript: dist/server, `keyturn`, with the whole of src/, the command
 * and the shipped policies; and dist/client, `@keyturn/client`, with src/client and what that imports.
 * `node scripts/build.mjs [server|client]`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * The package has the layout of the checkout, with `lib/` for `src/`, so what the code finds beside itself is there.
 * @param {string} out folder; emptied first
 */
export function buildServer(out) {
  rmSync(out, { recursive: true, force: true });
  const lib = join(out, 'lib');
  compile(join(ROOT, 'tsconfig.build.json'), lib, ['--declaration', 'false', '--removeComments']);
  for (const asset of globSync('src/**/*', { cwd: ROOT, withFileTypes: true })) {
    if (!asset.isFile() || /\.(?:ts|md)$/.test(asset.name)) continue;
    const path = join(asset.parentPath, asset.name);
    cpSync(path, join(lib, relative(join(ROOT, 'src'), path)));
  }
  for (const path of ['policies', 'LICENSE', 'README.md', 'SECURITY.md', 'CHANGELOG.md']) {
    cpSync(join(ROOT, path), join(out, path), { recursive: true });
  }
  mkdirSync(join(out, 'bin'));
  const command = readFileSync(join(ROOT, 'bin/keyturn.mjs'), 'utf8');
  writeFileSync(join(out, 'bin/keyturn.mjs'), command.replace('../src/cli/main.ts', '../lib/cli/main.js'), {
    mode: 0o755,
  });
  writeJson(join(out, 'package.json'), serverManifest());
  writeJson(join(out, 'npm-shrinkwrap.json'), serverLock());
}

/** @param {string} out folder; emptied first */
export function buildClient(out) {
  rmSync(out, { recursive: true, force: true });
  const config = join(ROOT, '.cache', 'tsconfig.client.json');
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.build.json', include: ['../src/client'] }));
  compile(config, out);
  writeJson(join(out, 'package.json'), clientManifest());
  cpSync(join(ROOT, 'LICENSE'), join(out, 'LICENSE'));
  cpSync(join(ROOT, 'src/client/README.md'), join(out, 'README.md'));
}

/**
 * @param {string} config
 * @param {string} out
 * @param {readonly string[]} [options]
 */
function compile(config, out, options = []) {
  const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config, '--outDir', out];
  args.push('--rootDir', join(ROOT, 'src'), ...options);
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

/** What the server needs and nothing else; Node is the machine's own. */
function serverManifest() {
  const { name, version, description, license, type, engines, bin, dependencies } = readJson('package.json');
  const files = ['bin', 'lib', 'policies', 'npm-shrinkwrap.json', 'SECURITY.md', 'CHANGELOG.md'];
  return { name, version, private: true, description, license, type, engines, bin, files, dependencies };
}

/** The locked versions of what is installed with the package: `npm ci --omit=dev` in its folder takes these. */
function serverLock() {
  const { lockfileVersion, requires, packages } = readJson('package-lock.json');
  const { name, version, dependencies } = serverManifest();
  const { bin, engines, license, ...rest } = packages[''];
  const ours = Object.entries(packages).filter(
    ([place, entry]) =>
      place !== '' && !entry.dev && !entry.devOptional && !(nameOf(place) in rest.optionalDependencies),
  );
  const root = { name, version, license, dependencies, bin, engines };
  return { name, version, lockfileVersion, requires, packages: { '': root, ...Object.fromEntries(ours) } };
}

/** @param {string} place in node_modules */
function nameOf(place) {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** The manifest that stands beside the source (name, description, …) with what only the build knows. */
function clientManifest() {
  const own = existsSync(join(ROOT, 'src/client/package.json')) ? readJson('src/client/package.json') : {};
  const { version, license, engines } = readJson('package.json');
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
    // For compilers that do not read "exports" (moduleResolution node10, which commonjs implies).
    main: entry.default,
    types: entry.types,
    exports: { '.': entry, './package.json': './package.json' },
  };
}

/** @param {string} path in the checkout */
function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

/**
 * @param {string} path
 * @param {unknown} content
 */
function writeJson(path, content) {
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const what = process.argv[2] ?? 'all';
  if (what !== 'client') buildServer(join(ROOT, 'dist/server'));
  if (what !== 'server') buildClient(join(ROOT, 'dist/client'));
}
