import { expect, test } from 'vitest';
import { randomFrom } from './kill/random.ts';
import { FreezeRace } from './replicas/freeze-race.ts';

const ROUNDS = 60;

test('one server lends while another freezes: on the log nothing is lent between a hold and its lifting', async () => {
  const seed = Date.now() % 1_000_000;
  await using race = await FreezeRace.start();
  const random = randomFrom(seed);
  while (race.figures.rounds < ROUNDS) await race.round(random);
  expect(await race.faults(), `seed ${seed}`).toEqual([]);
  expect(race.figures.divided, JSON.stringify({ seed, ...race.figures })).toBeGreaterThan(0);
}, 180_000);
