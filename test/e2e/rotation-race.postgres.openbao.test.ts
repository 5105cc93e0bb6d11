import { expect, test } from 'vitest';
import { RotationRace } from './replicas/rotation-race.ts';

const ROUNDS = 12;

test('two servers race for rotations: one begins each, the other is told who did, and nothing is done twice', async () => {
  await using race = await RotationRace.start();
  for (let round = 1; round <= ROUNDS; round += 1) await race.round(round % 4 === 0);
  expect(await race.examine()).toEqual([]);
  expect(race.figures).toMatchObject({ rotations: ROUNDS, losers: ROUNDS });
  expect(Math.min(...race.figures.steps), JSON.stringify(race.figures)).toBeGreaterThan(0);
}, 240_000);
