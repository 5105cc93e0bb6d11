import {
  delaying,
  type FaultPlan,
  hanging,
  losingAnswers,
  refusing,
  resetting,
  shortening,
} from '../../fakes/aws/fault.ts';
import { CREDENTIALS, FakeAws } from '../../fakes/aws.ts';
import { textCanary } from '../canary/search/secrets.ts';
import { type RemoteStore, SLOW_MS, type StoreMood } from './remote-store.ts';

export async function startRemoteAws(): Promise<RemoteStore> {
  const aws = await FakeAws.start();
  let listening = true;
  return {
    kind: 'aws',
    configure: async () => ({
      kind: 'aws',
      ...aws.connection,
      'adopt-from': ['teams/*'],
      'connect-ms': 700,
      'attempt-ms': 700,
      'call-ms': 1_500,
      attempts: 1,
      'break-ms': 500,
    }),
    set: async (mood) => {
      aws.proxy.faults = planOf(mood);
      if (listening === (mood !== 'down')) return;
      listening = mood !== 'down';
      await (listening ? aws.proxy.resume() : aws.proxy.stop());
    },
    records: async () => {
      const list = (await aws.ask('secretsmanager:ListSecrets'))?.['SecretList'] as { Name: string }[];
      return list.map(({ Name }) => Name.replace('keyturn/', ''));
    },
    keep: async (name, fields) => {
      const SecretString = JSON.stringify(fields);
      const made = await aws.ask('secretsmanager:CreateSecret', { Name: `teams/${name}`, SecretString });
      if (made === null) await aws.ask('secretsmanager:PutSecretValue', { SecretId: `teams/${name}`, SecretString });
      return `teams/${name}`;
    },
    canaries: [
      textCanary('secret access key', CREDENTIALS.AWS_SECRET_ACCESS_KEY),
      textCanary('session token', CREDENTIALS.AWS_SESSION_TOKEN),
    ],
    [Symbol.asyncDispose]: () => aws[Symbol.asyncDispose](),
  };
}

const CHANGES = /^(?:Create|Put|Update|Delete|Tag)/;

/** As AWS says which value it does not like: with the value. It never repeats what a request was signed with. */
const echo: FaultPlan = ({ input }) => {
  const message = `Value '${JSON.stringify(input)}' failed to satisfy constraint: ${CREDENTIALS.AWS_SESSION_TOKEN}`;
  return refusing({ type: 'ValidationException', message });
};

function planOf(mood: StoreMood): FaultPlan {
  if (mood === 'slow') return () => delaying(SLOW_MS);
  if (mood === 'hanging') return () => hanging;
  if (mood === 'cut short') return () => shortening;
  if (mood === 'echoing') return echo;
  if (mood === 'echoing changes') return (call, nth) => (CHANGES.test(call.operation) ? echo(call, nth) : null);
  if (mood !== 'lost after a change') return () => null;
  let changed = false;
  return ({ operation }) => {
    if (changed) return resetting;
    changed = operation === 'CreateSecret';
    return changed ? losingAnswers : null;
  };
}
