import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where Debian puts the servers, a folder for each version. */
const DEBIAN = '/usr/lib/postgresql';

const PROGRAMS = ['initdb', 'postgres', 'pg_basebackup'];

/** The folder of the server's programs, from the PATH or of the newest that Debian installed. */
export function postgresPrograms(): string {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...debianFolders()];
  const found = folders.find((folder) => folder !== '' && PROGRAMS.every((name) => runs(folder, name)));
  if (found === undefined) throw new Error('PostgreSQL is not installed. Run: node scripts/setup.mjs test');
  return found;
}

function debianFolders(): string[] {
  try {
    const versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(DEBIAN, version, 'bin'));
  } catch {
    return [];
  }
}

function runs(folder: string, name: string): boolean {
  try {
    accessSync(join(folder, name), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
