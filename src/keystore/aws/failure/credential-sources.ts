import { access, constants, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KeyturnError } from '../../../core/errors.ts';
import { awsError } from './reason.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** One link of the SDK's default chain: how it stands, and what would mend it if somebody set it up. */
interface Source {
  readonly name: string;
  readonly state: string;
  /** Null where nobody set it up, so that it is not what is broken. */
  readonly fix: string | null;
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
  const profile = environment['AWS_PROFILE'] || 'default';
  const name = `profile ${/^[\w .@+-]{1,100}$/.test(profile) ? profile : '(unprintable)'}`;
  const config = environment['AWS_CONFIG_FILE'] || join(homedir(), '.aws', 'config');
  const shared = environment['AWS_SHARED_CREDENTIALS_FILE'] || join(homedir(), '.aws', 'credentials');
  const keys = [
    ...(await keysOf(config, profile === 'default' ? ['default', 'profile default'] : [`profile ${profile}`])),
    ...(await keysOf(shared, [profile])),
  ];
  if (keys.length === 0) {
    const wanted = environment['AWS_PROFILE'] !== undefined;
    const fix = `Write the profile into ${config}, or correct AWS_PROFILE.`;
    return { name, state: `not in ${config} or ${shared}`, fix: wanted ? fix : null };
  }
  if (keys.some((key) => key.startsWith('sso_'))) {
    return { name, state: 'single sign-on gave none', fix: `Run: aws sso login --profile ${profile}` };
  }
  if (keys.includes('role_arn')) {
    return { name, state: 'its role could not be assumed', fix: 'Check role_arn, its trust policy and the source.' };
  }
  if (keys.includes('credential_process')) {
    return { name, state: 'its credential_process gave none', fix: 'Run the credential_process by hand.' };
  }
  return { name, state: 'holds no usable credentials', fix: 'Run: aws configure list' };
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

/** Keys of these sections of an INI file of AWS, without their values; none when there is no such file. */
async function keysOf(file: string, sections: readonly string[]): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const keys: string[] = [];
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) inside = sections.includes(section.replace(/\s+/g, ' '));
    const key = /^([a-z_]{1,40})\s*=/.exec(line)?.[1];
    if (inside && key !== undefined) keys.push(key);
  }
  return keys;
}

function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}
