import { expect, test } from 'vitest';
import { RotationCampaign, type StoreKind } from './campaign.ts';
import { wayNamed } from './ways.ts';

/** How long a kill with all that follows may take on a machine that is busy, milliseconds. */
const KILL_MS = 20_000;

/**
 * After the act and before its record is where most can go wrong, and inside of a step; the soak takes every point. Each
 * rotation meets all of its ends one after the other, goes on after each, and is looked at when it is over.
 */
export function killedWhileRotating(name: string, store: StoreKind, chosen?: readonly string[]): void {
  const way = wayNamed(name);
  const points = way.points.filter((point) => chosen?.includes(point) ?? !/:(?:before|journaled)$/.test(point));
  const limit = { timeout: 60_000 + points.length * KILL_MS };
  test(
    `${name} with its keys in ${store}: killed at ${points.length} points, it ends as it should`,
    limit,
    async () => {
      await using campaign = await RotationCampaign.start(way.maker, store);
      expect(await campaign.rotate(way, Object.fromEntries(points.map((point) => [point, 1])))).toEqual([]);
      expect(Object.keys(campaign.figures.at).toSorted()).toEqual(points.toSorted());
      expect(await campaign.examine(true)).toEqual([]);
    },
  );
}
