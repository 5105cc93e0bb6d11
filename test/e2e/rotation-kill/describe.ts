import { expect, test } from 'vitest';
import { type CampaignOptions, RotationCampaign } from './campaign.ts';
import { waysOf } from './ways.ts';

/** How long a kill with all that follows may take on a machine that is busy, milliseconds. */
const KILL_MS = 15_000;
const SET_UP_MS = 60_000;

export interface Killed extends Partial<CampaignOptions> {
  readonly maker: CampaignOptions['maker'];
  /** Kills are in these; default: in every step. */
  readonly steps?: readonly string[];
}

/**
 * Every way that an instance can go, one after the other: each rotation meets all of its ends, goes on after each, and is
 * looked at when it is over.
 */
export function killedWhileRotating({ steps, ...given }: Killed): void {
  const options = { live: 2, store: 'file', ledger: 'sqlite', listening: false, ...given } as const;
  const { maker, live, store, ledger, listening } = options;
  const chosen = (point: string) => steps?.includes(point.split(':')[0] ?? '') ?? true;
  const ways = waysOf(maker, live)
    .map((way) => ({ ...way, points: way.points.filter(chosen) }))
    .filter(({ points }) => points.length > 0);
  const kills = ways.flatMap(({ name, points }) => points.map((point) => `${name} ${point}`));
  const how = `${maker}, ${live} live, keys in ${store}, ledger in ${ledger}${listening ? ', over HTTPS' : ''}`;
  const timeout = SET_UP_MS + kills.length * KILL_MS;
  test(`${how}: killed at ${kills.length} points, every rotation ends as it should`, { timeout }, async () => {
    await using campaign = await RotationCampaign.start(options);
    for (const way of ways) {
      const points = Object.fromEntries(way.points.map((point) => [point, 1]));
      expect(await campaign.rotate(way, points), way.name).toEqual([]);
    }
    expect(Object.keys(campaign.figures.at).toSorted()).toEqual(kills.toSorted());
    expect(await campaign.examine(true)).toEqual([]);
  });
}
