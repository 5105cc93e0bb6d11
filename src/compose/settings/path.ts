import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

/** A path in the configuration: absolute, or relative to the instance's folder. */
export const path = z.string().min(1).max(1000);

export type AbsolutePath = (relative: string) => string;

export function absoluteFrom(home: string): AbsolutePath {
  return (relative) => (isAbsolute(relative) ? relative : resolve(home, relative));
}
