import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

/** A path in the configuration: absolute, or relative to the instance's folder. */
export const path = z.string().min(1).max(1000);

export type AbsolutePath = (relative: string) => string;

export function absoluteFrom(home: string): AbsolutePath {
  return (relative) => (isAbsolute(relative) ? relative : resolve(home, relative));
}

/** Two members that name one file; null where none do. `files`: member and path, null for one that there is not. */
export function sharedFile(
  files: readonly (readonly [member: string, path: string | null])[],
): { readonly member: string; readonly with: string } | null {
  const owners = new Map<string, string>();
  for (const [member, path] of files) {
    const owner = path === null ? undefined : owners.get(path);
    if (owner !== undefined) return { member, with: owner };
    if (path !== null) owners.set(path, member);
  }
  return null;
}
