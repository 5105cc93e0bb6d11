import { textCanary } from '../../../e2e/canary/search/secrets.ts';
import { CREDENTIALS } from '../../../fakes/aws.ts';
import { NETWORK_VERBS } from '../rows.ts';
import { running } from '../run.ts';
import type { FaultBench, FaultHarness, RunningBench } from '../table.ts';
import { EXPECTED } from './expected.ts';
import { faultsOf } from './faults.ts';
import { type AwsPlace, heldAt, openAt, prepareAt } from './place.ts';
import { startAwsStage } from './stage.ts';

export const awsFaults: FaultHarness = {
  network: true,
  verbs: NETWORK_VERBS,
  expected: EXPECTED,
  impossible: {
    sealed: 'AWS has no seal; a KMS key that is disabled comes nearest',
    standby: 'AWS shows no nodes',
  },
  start,
};

async function start(): Promise<RunningBench> {
  const stage = await startAwsStage();
  const { aws, kmsKeyId, elsewhere } = stage;
  // The first calls load what the simulator knows of IAM.
  const first = await prepareAt(aws, 'read', kmsKeyId);
  await openAt(first).run('read');
  const bench: FaultBench<AwsPlace> = {
    faults: faultsOf(stage),
    canaries: [
      textCanary('secret access key', CREDENTIALS.AWS_SECRET_ACCESS_KEY),
      textCanary('session token', CREDENTIALS.AWS_SESSION_TOKEN),
    ],
    prepare: (verb) => prepareAt(aws, verb, kmsKeyId),
    held: (place) => heldAt(aws, place),
    settled: (outcome) => (outcome.startsWith('not ready') ? outcome.split(/ \(|\. | on | for secret /)[0]! : outcome),
    broken: () => [...aws.proxy.broken, ...elsewhere.seen],
    stop: () => stage.stop(),
  };
  return running(bench);
}
