import { shippedPolicy } from '../../test/fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../test/fakes/aws.ts';
import type { Narrator } from '../narrator.ts';
import type { StoryStore } from './store.ts';

/** moto, an emulator of AWS, behind a proxy that refuses what AWS refuses and holds the caller to the shipped policy. */
export async function startAws(narrator: Narrator): Promise<StoryStore> {
  narrator.step('AWS Secrets Manager and KMS on this machine: the emulator moto, made to refuse what AWS refuses');
  const aws = await FakeAws.start();
  narrator.say(`it listens on ${aws.proxy.url}; as the account’s operator would:`);
  narrator.command('aws kms create-key');
  const key = await aws.makeKey();
  narrator.command('aws iam put-role-policy --role-name keyturn --policy-document file://policies/aws/keyturn.json …');
  aws.proxy.policies = [shippedPolicy('keyturn.json', { kmsKeyId: key })];
  const { region, endpoint } = aws.connection;
  // Doctor asks AWS KMS too, at an endpoint of its own: nothing here leaves the machine.
  process.env['AWS_ENDPOINT_URL'] = endpoint;
  return {
    setting: { kind: 'aws', region, endpoint, prefix: 'keyturn', 'kms-key': key },
    show: (record) => description(aws, `keyturn/${record}`),
    [Symbol.asyncDispose]: () => aws[Symbol.asyncDispose](),
  };
}

/** What AWS tells of a secret beside its content. */
async function description(aws: FakeAws, name: string): Promise<string[]> {
  const found = await aws.ask('secretsmanager:DescribeSecret', { SecretId: name });
  if (found === null) throw new Error(`AWS has no secret ${name}.`);
  return ['ARN', 'KmsKeyId', 'Tags'].map((member) => `${member}: ${JSON.stringify(found[member])}`);
}
