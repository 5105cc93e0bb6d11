/**
 * Completes package-lock.json: npm leaves out optional platform packages that the registry in use does not have, and
 * `npm ci` then refuses the lock on every platform. Each missing one gets an entry with version, os, cpu and libc,
 * without `resolved` and `integrity`; npm fetches it by name and version where the platform fits.
 *
 * Run it after every change of the dependencies: `node scripts/complete-lock.mjs`. Running it twice changes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/**
 * @typedef {{
 *   version?: string, resolved?: string, integrity?: string, hasInstallScript?: boolean, dev?: boolean,
 *   optional?: boolean, os?: string | string[], cpu?: string | string[], libc?: string | string[], name?: string, link?: boolean,
 *   dependencies?: Record<string, string>, devDependencies?: Record<string, string>,
 *   optionalDependencies?: Record<string, string>
 * }} LockEntry
 * @typedef {{ name: string, version: string, lockfileVersion: number, packages: Record<string, LockEntry> }} Lock
 */

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * Every optional dependency that a package in the lock names and no entry answers.
 * @param {Lock} lock
 */
export function missingEntries(lock) {
  const missing = [];
  for (const [place, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isResolvable(lock, place, name)) missing.push({ by: place, name, version, dev: entry.dev === true });
    }
  }
  return missing;
}

/**
 * The lock with every missing entry filled in, entries sorted as npm sorts them.
 * @param {Lock} lock
 * @returns {Lock}
 */
export function completeLock(lock) {
  const packages = { ...lock.packages };
  for (const { name, version, dev } of missingEntries(lock)) {
    packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(dev ? { dev } : {}), optional: true };
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

/**
 * Node's resolution: the package's own node_modules, then each one above it.
 * @param {Lock} lock
 * @param {string} place
 * @param {string} name
 */
function isResolvable(lock, place, name) {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (`${folder}${folder === '' ? '' : '/'}node_modules/${name}` in lock.packages) return true;
    if (folder === '') return false;
  }
}

/**
 * `@oxlint/binding-linux-arm64-musl` is for os linux, cpu arm64, libc musl.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`No platform can be told from the name ${name}.`);
  const abi = words.at(-1) ?? '';
  const libc = abi.startsWith('musl') ? ['musl'] : abi.startsWith('gnu') ? ['glibc'] : [];
  return { ...(libc.length === 0 ? {} : { libc }), os, cpu };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = new URL('../package-lock.json', import.meta.url);
  /** @type {Lock} */
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const missing = missingEntries(lock);
  if (missing.length > 0) writeFileSync(path, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
  console.log(`${missing.length} missing entries of package-lock.json filled in.`);
}
