import { z } from 'zod';
import { isPathPattern } from '../../keystore/foreign/reading.ts';

/** Paths in a store elsewhere that keys of others may be adopted from. */
export const adoptFrom = z
  .array(
    z.string().refine((text) => isPathPattern(text), {
      error: 'each is the path of a secret, or of a folder with /* at its end, such as secret/data/teams/*',
    }),
  )
  .min(1)
  .max(100);
