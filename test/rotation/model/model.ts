import fc from 'fast-check';
import { command, obey, setting } from './commands.ts';
import { openHouse } from './house.ts';
import { World } from './world.ts';

export interface ModelFigures {
  runs: number;
  commands: number;
  /** Rotations by how they ended. */
  readonly ended: Record<string, number>;
  /** Orders to go on after all. */
  resumed: number;
  /** Commits that were looked at. */
  commits: number;
}

/** Random commands to random rotations, each run to its end. @throws Error with the shortest run that goes wrong. */
export async function modelRuns(runs: number, seed: number, length = 40): Promise<ModelFigures> {
  await using house = await openHouse();
  const figures: ModelFigures = { runs: 0, commands: 0, ended: {}, resumed: 0, commits: 0 };
  const property = fc.asyncProperty(
    setting,
    fc.array(command, { minLength: 15, maxLength: length }),
    async (set, all) => {
      const world = await World.begin(house, set);
      for (const one of all) {
        await obey(world, one);
        world.watch.mustBeClean();
      }
      const left = await world.converge();
      world.watch.mustBeClean();
      if (left !== null) throw new Error(`It never ended: ${JSON.stringify(left, null, 1)}`);
      await world.watch.mustBeDone();
      figures.runs += 1;
      figures.commands += all.length;
      figures.commits += world.watch.commits;
      figures.resumed += await world.resumed();
      for (const state of await world.ends()) figures.ended[state] = (figures.ended[state] ?? 0) + 1;
    },
  );
  await fc.assert(property, { numRuns: runs, seed, endOnFailure: true });
  return figures;
}
