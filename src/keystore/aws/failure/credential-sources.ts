import type { KeyturnError } from '../../../core/errors.ts';
import { type Environment, isReadable, type Lack, lackOfProfile } from './profile.ts';
import { awsError } from './reason.ts';

/** One link of the SDK's default chain. */
interface Source extends Lack {
  readonly name: string;
}

/**
 * The default chain gave no credentials: every source in the chain's own order, with what it lacks. Names variables,
 * files and profiles, never a value of theirs that could be secret.
 */
export async function noCredentials(error: unknown, environment: Environment = process.env): Promise<KeyturnError> {
  const sources = [
    fromEnvironment(environment),
    await fromProfile(environment),
    await fromWebIdentity(environment),
    await fromContainer(environment),
    fromInstance(environment),
  ];
  const late = error instanceof Error && 'isTaskCancelledError' in error ? ' in time' : '';
  const list = sources.map(({ name, state }) => `${name}: ${state}`).join('; ');
  const fix = sources.find((source) => source.fix !== null)?.fix;
  return awsError('credentials', `No source gave AWS credentials${late}. ${list}.`, {
    fix: fix ?? 'Give the machine or pod a role, or set AWS_PROFILE; docs/design/keystore-aws.md shows each way.',
  });
}

function fromEnvironment(environment: Environment): Source {
  const name = 'environment';
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const missing = names.filter((variable) => !environment[variable]);
  if (missing.length === 0) return { name, state: 'set', fix: null };
  if (missing.length === 2) return { name, state: 'not set', fix: null };
  return { name, state: `${missing[0]} is missing`, fix: `Set ${missing[0]} too, or neither.` };
}

async function fromProfile(environment: Environment): Promise<Source> {
  const { profile, ...lack } = await lackOfProfile(environment);
  return { name: `profile ${profile}`, ...lack };
}

async function fromWebIdentity(environment: Environment): Promise<Source> {
  const name = 'web identity';
  const file = environment['AWS_WEB_IDENTITY_TOKEN_FILE'];
  const missing = ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ROLE_ARN'].filter((variable) => !environment[variable]);
  if (missing.length === 2) return { name, state: 'not set', fix: null };
  if (missing.length === 1) return { name, state: `${missing[0]} is missing`, fix: `Set ${missing[0]} too.` };
  if (!(await isReadable(file ?? ''))) {
    return { name, state: `${file} can't be read`, fix: 'Mount the service account token where the variable says.' };
  }
  return { name, state: 'AWS STS gave none', fix: "Check the role's trust policy: issuer, audience, service account." };
}

async function fromContainer(environment: Environment): Promise<Source> {
  const name = 'container';
  const names = ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  const set = names.find((variable) => environment[variable]);
  if (set === undefined) return { name, state: 'not set', fix: null };
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  if (file !== undefined && file !== '' && !(await isReadable(file))) {
    return { name, state: `${file} can't be read`, fix: 'Check the pod identity agent and its projected token.' };
  }
  return {
    name,
    state: `the agent that ${set} names gave none`,
    fix: 'Check the task role or pod identity association.',
  };
}

function fromInstance(environment: Environment): Source {
  const name = 'instance metadata';
  if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
    return { name, state: 'switched off by AWS_EC2_METADATA_DISABLED', fix: null };
  }
  return { name, state: 'no answer, or the machine has no role', fix: null };
}
