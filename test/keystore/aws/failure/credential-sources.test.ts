import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openAwsStore } from '../../../../src/keystore/aws/aws-store.ts';
import { noCredentials } from '../../../../src/keystore/aws/failure/credential-sources.ts';
import { temporaryFolder } from '../../file/temporary-store.ts';

const CANARY = 'canary-7f83b1657ff1fc53';

/** Message and advice for an environment, with profile files that hold this. */
async function explained(environment: Record<string, string>, config = ''): Promise<{ message: string; fix: string }> {
  const folder = temporaryFolder();
  const files = { AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') };
  if (config !== '') writeFileSync(files.AWS_CONFIG_FILE, config);
  const error = await noCredentials(new Error(CANARY), { ...files, ...environment });
  expect(error).toMatchObject({ code: 'keystore_unavailable', facts: { reason: 'credentials', certain: true } });
  expect(JSON.stringify([error.message, error.fix, error.facts, error.cause ?? null])).not.toContain(CANARY);
  return { message: error.message.replaceAll(folder, ''), fix: error.fix ?? '' };
}

it('where nothing is set up, every source is named, and the way in', async () => {
  const { message, fix } = await explained({});
  expect(message).toBe(
    'No source gave AWS credentials. environment: not set; profile default: not in /config or /credentials; ' +
      'web identity: not set; container: not set; instance metadata: no answer, or the machine has no role.',
  );
  expect(fix).toContain('AWS_PROFILE');
});

it('a half-set environment is told by the name that is missing', async () => {
  const { message, fix } = await explained({ AWS_ACCESS_KEY_ID: CANARY });
  expect(message).toContain('environment: AWS_SECRET_ACCESS_KEY is missing');
  expect(fix).toBe('Set AWS_SECRET_ACCESS_KEY too, or neither.');
});

it('a profile says what it was to give: single sign-on, a process, or nothing at all', async () => {
  const config = `
[default]
aws_access_key_id = ${CANARY}
[profile dev]
sso_session = main
[profile tool]
credential_process = /bin/${CANARY}
`;
  const fixOf = async (AWS_PROFILE: string) => (await explained({ AWS_PROFILE }, config)).fix;
  expect(await fixOf('dev')).toBe('Run: aws sso login --profile dev');
  expect(await fixOf('tool')).toContain('credential_process');
  expect(await fixOf('absent')).toContain('correct AWS_PROFILE');
  expect((await explained({}, config)).message).toContain('profile default: holds no usable credentials');
  expect((await explained({ AWS_PROFILE: 'a\u001b[31m' }, config)).message).toContain('profile (unprintable)');
});

describe('a profile that assumes a role', () => {
  const ROLE = `role_arn = arn:aws:iam::111122223333:role/${CANARY}`;
  const config = `
[profile base]
aws_access_key_id = ${CANARY}
aws_secret_access_key = ${CANARY}
[profile empty]
region = eu-central-1
[profile bare]
${ROLE}
[profile both]
${ROLE}
source_profile = base
credential_source = Environment
[profile astray]
${ROLE}
source_profile = basis
[profile hollow]
${ROLE}
source_profile = empty
[profile chained]
${ROLE}
source_profile = astray
[profile one]
${ROLE}
source_profile = two
[profile two]
${ROLE}
source_profile = one
[profile kind]
${ROLE}
credential_source = Ec2Instance
[profile environment]
${ROLE}
credential_source = Environment
[profile container]
${ROLE}
credential_source = EcsContainer
[profile machine]
${ROLE}
credential_source = Ec2InstanceMetadata
[profile good]
${ROLE}
source_profile = base
[profile commented] # of the team
${ROLE} ; the role
source_profile = base # with keys
[profile token]
${ROLE}
web_identity_token_file = /nowhere/token
`;

  it.each([
    [
      'bare',
      'its role_arn has neither source_profile nor credential_source',
      /aws configure set source_profile NAME --profile bare/,
    ],
    ['both', 'its role_arn has both source_profile and credential_source', /Take one of them out of \[profile both\]/],
    [
      'astray',
      'its source_profile basis is not in /config or /credentials',
      /aws configure set source_profile NAME --profile astray/,
    ],
    ['hollow', 'its source_profile empty holds no credentials', /aws configure --profile empty/],
    [
      'chained',
      'its source_profile astray: its source_profile basis is not in /config or /credentials',
      /--profile astray/,
    ],
    ['one', 'its source_profile two: its source_profile one leads in a circle', /--profile two/],
    ['kind', 'its credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata', /--profile kind/],
    ['environment', 'its credential_source is Environment, where AWS_ACCESS_KEY_ID is not set', /AWS_ACCESS_KEY_ID/],
    [
      'container',
      'its credential_source is EcsContainer, and no container agent is named',
      /AWS_CONTAINER_CREDENTIALS/,
    ],
    ['machine', 'its credential_source is Ec2InstanceMetadata, which gave none', /role/],
    ['good', 'its role could not be assumed', /trust policy/],
    ['commented', 'its role could not be assumed', /trust policy/],
    ['token', "its web_identity_token_file /nowhere/token can't be read", /token/],
  ])('%s: %s', async (AWS_PROFILE, state, fix) => {
    const told = await explained({ AWS_PROFILE }, config);
    expect(told.message).toContain(`profile ${AWS_PROFILE}: ${state};`);
    expect(told.fix).toMatch(fix);
  });

  it('by instance metadata that is switched off is told that it is', async () => {
    const told = await explained({ AWS_PROFILE: 'machine', AWS_EC2_METADATA_DISABLED: 'true' }, config);
    expect(told.message).toContain('is Ec2InstanceMetadata, which AWS_EC2_METADATA_DISABLED switches off;');
  });

  it.each(['bare', 'both', 'astray', 'hollow', 'chained', 'one', 'kind', 'environment', 'container'])(
    'the SDK itself finds no credentials by %s',
    async (AWS_PROFILE) => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'config'), config);
      vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
      vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
      vi.stubEnv('AWS_PROFILE', AWS_PROFILE);
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
      const store = await openAwsStore({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' });
      const { detail } = await store.health();
      expect(detail).toContain(`profile ${AWS_PROFILE}: its `);
      await store.close();
      vi.unstubAllEnvs();
    },
  );
});

it('a web identity is told apart: half set, token unreadable, refused by AWS', async () => {
  const token = join(temporaryFolder(), 'token');
  const AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/keyturn';
  expect((await explained({ AWS_ROLE_ARN })).fix).toBe('Set AWS_WEB_IDENTITY_TOKEN_FILE too.');
  const both = { AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE: token };
  expect((await explained(both)).message).toContain(`${token} can't be read`);
  writeFileSync(token, CANARY);
  expect((await explained(both)).fix).toContain('issuer, audience');
});

it('a container agent is told by its variable, and by its token where that is missing', async () => {
  const agent = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://169.254.170.23/${CANARY}` };
  expect((await explained(agent)).message).toContain(
    'the agent that AWS_CONTAINER_CREDENTIALS_FULL_URI names gave none',
  );
  const { message } = await explained({ ...agent, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/nowhere/token' });
  expect(message).toContain("container: /nowhere/token can't be read");
});

it('instance metadata that was switched off is not said to be silent', async () => {
  const { message } = await explained({ AWS_EC2_METADATA_DISABLED: 'TRUE' });
  expect(message).toContain('switched off by AWS_EC2_METADATA_DISABLED');
});
