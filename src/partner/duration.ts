import { z } from 'zod';
import { parseDuration } from '../core/duration.ts';

/** The same words wherever a person writes one: in a profile as in the configuration. */
const MESSAGE = 'must be a duration such as 30s, 5m, 2h or 30d';

/** A hundred years. Longer ones lead to dates that there are not. */
const MOST_SECONDS = 36_500 * 86_400;

/** A length of time as {@link parseDuration} reads it; whole seconds. */
export const duration = z
  .string({ error: MESSAGE })
  .transform((text, context) => {
    try {
      return parseDuration(text);
    } catch {
      context.addIssue({ code: 'custom', message: MESSAGE });
      return z.NEVER;
    }
  })
  .refine((seconds) => seconds <= MOST_SECONDS, { error: 'is longer than 36500d' });
