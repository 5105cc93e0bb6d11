import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * System programs that tests use as second opinions. `tests` is the pattern of the test files that cannot run
 * without the program: a test that needs one says so in its file's name.
 */
export const TOOLS = [
  { command: 'nginx', debianPackage: 'nginx', tests: '**/*nginx*.test.ts' },
  { command: 'strace', debianPackage: 'strace', tests: '**/*strace*.test.ts' },
  { command: 'openssl', debianPackage: 'openssl', tests: '**/*openssl*.test.ts' },
  { command: 'curl', debianPackage: 'curl', tests: '**/*curl*.test.ts' },
];

/** The tools that this machine lacks. */
export function missingTools() {
  return TOOLS.filter(({ command }) => !isInstalled(command));
}

/** The PATH and where Debian puts servers, which the PATH of a plain user leaves out. */
export const TOOL_PATH = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

/** @param {string} command */
export function isInstalled(command) {
  return TOOL_PATH.split(delimiter).some((folder) => folder !== '' && isExecutable(join(folder, command)));
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
