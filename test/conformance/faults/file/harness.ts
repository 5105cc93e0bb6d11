import { rmSync } from 'node:fs';
import { octetsCanary } from '../../../e2e/canary/search/secrets.ts';
import { VERBS } from '../cell.ts';
import { running } from '../run.ts';
import type { FaultBench, FaultHarness, RunningBench } from '../table.ts';
import { EXPECTED } from './expected.ts';
import { faultsOf } from './faults.ts';
import { type FilePlace, heldIn, makeFileStage, prepareIn } from './place.ts';

export const fileFaults: FaultHarness = { network: false, verbs: VERBS, expected: EXPECTED, impossible: {}, start };

async function start(): Promise<RunningBench> {
  const stage = makeFileStage();
  const bench: FaultBench<FilePlace> = {
    faults: faultsOf(stage),
    canaries: [octetsCanary('master key', stage.masterOctets)],
    prepare: () => prepareIn(stage),
    held: (place) => heldIn(stage, place),
    settled: (outcome) => outcome.replace(/\/\S*\/cell-\w+\//, ''),
    broken: () => [],
    stop: async () => rmSync(stage.root, { recursive: true }),
  };
  return running(bench);
}
