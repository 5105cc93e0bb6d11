import { closeSync, fsyncSync, lstatSync, openSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';

/** Beside the database: held locked by the one process that writes. */
export function lockPath(path: string): string {
  return `${path}.lock`;
}

/**
 * Creates the file if there is none, owner-only; SQLite gives its companions (`-wal`, `-shm`) the same mode. A file
 * that exists must be a regular one of ours that nobody else may read or write.
 *
 * Nothing here may open a file that SQLite has open: closing any descriptor of it would drop this process's locks
 * (fcntl(2)).
 * @throws KeyturnError `config_invalid` saying which file and which mode.
 */
export function prepareFile(path: string): void {
  assertFolder(dirname(path));
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) create(path);
  else assertOwnerOnly(path, stats);
}

function create(path: string): void {
  closeSync(openSync(path, 'wx', 0o600));
  syncFolder(dirname(path));
}

/** Makes new names in the folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function assertOwnerOnly(path: string, stats: Stats): void {
  if (!stats.isFile()) throw insecure(`${path} is not a regular file.`, 'Give the path of the ledger file itself.');
  if (stats.uid !== process.getuid?.()) {
    throw insecure(`${path} belongs to another user.`, `Run the server as its owner, or: chown <user> ${path}`);
  }
  if ((stats.mode & 0o077) !== 0) {
    throw insecure(`${path} can be used by others (mode ${octal(stats.mode)}).`, `Run: chmod 600 ${path}`);
  }
}

/** Who may write to the folder may put another file in this one's place. */
function assertFolder(folder: string): void {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) throw insecure(`The folder ${folder} does not exist.`, `Run: mkdir -m 700 ${folder}`);
  if (stats.isDirectory() && (stats.mode & 0o022) !== 0) {
    throw insecure(`Others may write to ${folder} (mode ${octal(stats.mode)}).`, `Run: chmod go-w ${folder}`);
  }
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8);
}

function insecure(message: string, fix: string): KeyturnError {
  return new KeyturnError('config_invalid', `The ledger is not opened: ${message}`, { fix });
}
