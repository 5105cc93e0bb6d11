import { z } from 'zod';
import { duration } from '../../partner/duration.ts';
import { DUE_RULES } from '../../rotation/due/check.ts';
import type { DuePlan } from '../../rotation/due/starter.ts';
import { PACE } from '../../rotation/workflow/step.ts';

const instant = z.iso
  .datetime({ offset: true, error: 'not an instant such as 2026-12-20T00:00:00+04:00' })
  .transform((text) => Date.parse(text));

const freeze = z
  .strictObject({ from: instant, to: instant, why: z.string().min(1).max(200) })
  .refine(({ from, to }) => from <= to, { error: 'ends before it begins', path: ['to'] });

/** When versions are replaced; `docs/formats/rotation.md` says more. */
export const rotation = z.strictObject({
  /** Whether rotations begin by themselves when they are due. */
  automatic: z.boolean().optional(),
  'max-age': duration.optional(),
  'lifetime-share': z.number().min(0.1).max(0.95).optional(),
  margin: duration.optional(),
  'cool-down': duration.optional(),
  freezes: z.array(freeze).max(100).optional(),
  /** Longest request of a client toward a partner. */
  'longest-request': duration.optional(),
});

export interface RotationSetting {
  readonly due: DuePlan;
  readonly longestRequestMs: number;
}

const COOL_DOWN_SECONDS = 86_400;

export function rotationSetting(data: z.infer<typeof rotation>): RotationSetting {
  const longest = data['longest-request'];
  return {
    due: {
      automatic: data.automatic ?? true,
      coolDown: data['cool-down'] ?? COOL_DOWN_SECONDS,
      rules: {
        maxAge: data['max-age'] ?? DUE_RULES.maxAge,
        lifetimeShare: data['lifetime-share'] ?? DUE_RULES.lifetimeShare,
        margin: data.margin ?? DUE_RULES.margin,
      },
      freezes: data.freezes ?? [],
    },
    longestRequestMs: longest === undefined ? PACE.longestRequestMs : longest * 1000,
  };
}
