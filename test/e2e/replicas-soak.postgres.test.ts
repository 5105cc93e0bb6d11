import { expect, test } from 'vitest';
import { randomFrom } from './kill/random.ts';
import { soak } from './replicas/soak.ts';

test('servers and their database are killed: nothing acknowledged is lost, the log is one, no call fails', async () => {
  const seed = Date.now() % 1_000_000;
  const { figures, faults } = await soak({ seconds: 14, killEverySeconds: 3, random: randomFrom(seed) });
  const told = JSON.stringify({ seed, ...figures });
  expect(faults.slice(0, 20), told).toEqual([]);
  expect(Math.min(figures.kills, figures.leases, figures.holds, figures.calls), told).toBeGreaterThan(0);
}, 240_000);
